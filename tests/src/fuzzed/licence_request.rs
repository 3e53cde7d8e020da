//! Licence requests: any bytes are a request, or an error with one short message. What three
//! containers have signed is read as they signed it, and nothing else is.

use super::bundle::{container, read};
use super::byte;
use arbitrary::Unstructured;
use tmr_core::base::time::Wall;
use tmr_core::licence::{Document, LicenceRequest, RequestError, Requester};
use tmr_core::log::GroupId;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let mode = byte(&mut input);
    let rest = input.take_rest();
    match mode % 3 {
        0 => {
            let file = [b"tmr-request 1\n", rest].concat();
            for file in [rest, &file] {
                if let Some(Document::Request(request)) = read(file, None) {
                    again(&request);
                }
            }
        }
        1 => signed(rest),
        _ => altered(rest),
    }
}

/// Inputs to begin a corpus with: a good request, three signatures, and one changed byte.
pub(super) fn first_inputs() -> Vec<Vec<u8>> {
    let text = super::bundle::request().to_text();
    vec![
        [b"\x00", text.as_bytes()].concat(),
        [b"\x00", text.split_once('\n').expect("a first line").1.as_bytes()].concat(),
        [&[1, 1, 2, 3][..], &[5; 16], &[9; 4], b"backend-1.example"].concat(),
        vec![1, 2, 2, 2],
        vec![2, 100, 0, 1],
    ]
}

/// A request that was read is written and read again as the same.
fn again(request: &LicenceRequest) {
    assert_eq!(LicenceRequest::parse(&request.to_text()).as_ref(), Ok(request));
}

/// Three containers of any numbers sign for any group, time and machine.
fn signed(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let numbers = [(); 3].map(|()| byte(&mut input));
    let group = GroupId(input.arbitrary().unwrap_or_default());
    let made = Wall(u64::from(input.arbitrary::<u32>().unwrap_or_default()));
    let machine = String::from_utf8_lossy(input.take_rest()).into_owned();
    let signed = numbers.map(|number| Requester::sign(&container(number), group, made, &machine));
    match LicenceRequest::new(group, made, signed) {
        Ok(request) => match LicenceRequest::parse(&request.to_text()) {
            Ok(read) => assert_eq!(read, request),
            // A machine's name that no text of a licence may have.
            Err(error) => assert!(
                matches!(error, RequestError::Content(_) | RequestError::TooLong),
                "{error}"
            ),
        },
        Err(error) => assert!(matches!(error, RequestError::Twice(_)), "{error}"),
    }
}

/// A good request with one other byte says the same, or is refused.
fn altered(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let (place, by) = (input.arbitrary::<u16>().map_or(0, usize::from), byte(&mut input));
    let request = super::bundle::request();
    let mut file = request.to_text().into_bytes();
    let place = place % file.len();
    file[place] ^= by;
    if let Some(Document::Request(read)) = read(&file, None) {
        assert_eq!(*read, request);
    }
}
