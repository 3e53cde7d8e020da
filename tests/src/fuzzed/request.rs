//! A client's call: a call that is parsed and encoded again has the same bytes.

use tmr_core::base::limits::OUTPUT_BUFFER_MAX;
use tmr_core::wire::{CmError, Reply, Request};

pub(super) fn run(bytes: &[u8]) {
    let mut request = match Request::parse(bytes) {
        Ok(request) => request,
        Err(malformed) => {
            assert!(malformed.offset <= bytes.len(), "{malformed}");
            return;
        }
    };
    assert_eq!(request.encode(), bytes, "{request:?}");
    assert_eq!(Request::parse(bytes), Ok(request.clone()));
    let refused = Reply::error_for(&request, CmError::INVALID_HANDLE);
    let most = usize::try_from(OUTPUT_BUFFER_MAX).expect("a size") + 4;
    assert!(refused.body.len() <= most, "an error with {} bytes", refused.body.len());
    let takes_handle = request.handle().is_some();
    request.set_handle(0x0102_0304);
    assert_eq!(request.handle(), takes_handle.then_some(0x0102_0304));
    assert_eq!(Request::parse(&request.encode()), Ok(request));
}
