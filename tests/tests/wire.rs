//! Requests that the official SDK made, against the wire format: `tests/vectors/frames/`.
//!
//! Each vector describes its frames. The expected request is built from that alone, with zeros for
//! other fields, so that a field at a wrong place is noticed.

#![allow(clippy::unwrap_used, reason = "a vector that is not as it should be is a failure")]

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tmr_core::wire::structs::{
    CmAccess, CmAccess2, CmAuthenticate, CmBoxInfo, CmCrypt2, CmLtRequest, Layout,
};
use tmr_core::wire::{Buffer, Request};

/// One frame and its description in the vector.
struct Captured {
    from: String,
    bytes: Vec<u8>,
    decoded: Value,
}

fn captured() -> Vec<Captured> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/frames");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 14);
    let mut all = Vec::new();
    for file in files {
        let vector: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let frames = vector["frames"].as_array().unwrap();
        let requests = vector["decoded"]["requests"].as_array().unwrap();
        assert_eq!(frames.len(), requests.len());
        for (index, (frame, decoded)) in frames.iter().zip(requests).enumerate() {
            assert_eq!(frame["dir"], "c2s");
            all.push(Captured {
                from: format!("{} frame {index}", file.display()),
                bytes: hex::decode(frame["hex"].as_str().unwrap()).unwrap(),
                decoded: decoded.clone(),
            });
        }
    }
    all
}

/// The fields of a decoded request; each is taken once, and none may be left over.
struct Fields(Map<String, Value>);

impl Fields {
    fn of(value: &Value) -> Self {
        Self(value.as_object().unwrap().clone())
    }
    fn number(&mut self, name: &str) -> u32 {
        let value = self.0.remove(name).unwrap_or_else(|| panic!("no {name}"));
        u32::try_from(value.as_u64().unwrap()).unwrap()
    }
    fn text(&mut self, name: &str) -> String {
        self.0.remove(name).unwrap().as_str().unwrap().to_owned()
    }
    fn hex<const N: usize>(&mut self, name: &str) -> [u8; N] {
        hex::decode(self.text(name)).unwrap().try_into().unwrap()
    }
    fn structure(&mut self, name: &str, kind: &str) -> Self {
        let mut fields = Self::of(&self.0.remove(name).unwrap());
        assert_eq!(fields.text("_type"), kind);
        fields
    }
    /// A structure that is all zero by the vector.
    fn zero<T: Layout + Default>(&mut self, name: &str, kind: &str) -> T {
        self.structure(name, kind).end();
        T::default()
    }
    fn buffer(&mut self, name: &str) -> Buffer {
        let length = self.number(&format!("cb_{name}"));
        assert_eq!(self.text(name), "all zero");
        let trailer = self.number(&format!("{name}_trailer"));
        Buffer { bytes: vec![0; length as usize], trailer }
    }
    fn end(self) {
        assert!(self.0.is_empty(), "fields not looked at: {:?}", self.0);
    }
}

fn access(mut fields: Fields) -> CmAccess {
    let access = CmAccess {
        ctrl: fields.number("mflCtrl"),
        process: fields.number("midProcess"),
        session: u16::try_from(fields.number("musSession")).unwrap(),
        ..CmAccess::default()
    };
    fields.end();
    access
}

fn access2(mut fields: Fields) -> CmAccess2 {
    let mut access = CmAccess2 { ctrl: fields.number("mflCtrl"), ..CmAccess2::default() };
    access.borrow_data.client_name = (*fields.text("mcmBorrowData.mszClientName")).into();
    access.credential.pid = fields.number("mcmCredential.mulPID");
    access.credential.session = fields.number("mcmCredential.mulSession");
    access.credential.username = (*fields.text("mcmCredential.mszUsername")).into();
    access.credential.reserved1 = fields.hex("mcmCredential.mabReserved1");
    access.credential.reserved2 = fields.hex("mcmCredential.mabReserved2");
    fields.end();
    access
}

/// Returns the request that the vector describes.
fn expected(api: &str, fields: &Value) -> Request {
    let mut fields = Fields::of(fields);
    let handle = if fields.0.contains_key("handle") { fields.number("handle") } else { 0 };
    let ctrl = if fields.0.contains_key("flCtrl") { fields.number("flCtrl") } else { 0 };
    let request = match api {
        "CmAccess" => Request::Access { ctrl, access: access(fields.structure("acc", "CMACCESS")) },
        "CmAccess2" => Request::Access2 {
            ctrl,
            access: Box::new(access2(fields.structure("acc", "CMACCESS2"))),
            tail: Vec::new(),
        },
        "CmRelease" => Request::Release { handle },
        "CmGetVersion" => Request::GetVersion { handle },
        "CmGetInfo" => Request::GetInfo { handle, ctrl, size: fields.number("cbDest") },
        "CmGetServers" => Request::GetServers { ctrl, size: fields.number("cbServer") },
        "CmCalculateSignature" => Request::CalculateSignature {
            handle,
            auth: fields.zero::<CmAuthenticate>("auth", "CMAUTHENTICATE"),
            size: fields.number("cbSignature"),
        },
        "CmGetPublicKey" => Request::GetPublicKey {
            handle,
            auth: fields.zero::<CmAuthenticate>("auth", "CMAUTHENTICATE"),
            size: fields.number("cbPubKey"),
        },
        "CmCrypt2" => Request::Crypt2 {
            handle,
            ctrl,
            crypt: fields.zero::<CmCrypt2>("crypt", "CMCRYPT2"),
            data: fields.buffer("dest"),
        },
        "CmValidateEntry" => Request::ValidateEntry {
            handle,
            ctrl,
            box_info: fields.zero::<CmBoxInfo>("box", "CMBOXINFO"),
            proof: fields.buffer("validate"),
        },
        "CmLtCreateContext" => Request::LtCreateContext {
            handle,
            ctrl,
            request: fields.zero::<CmLtRequest>("request", "CMLTREQUEST"),
            size: fields.number("cbContext"),
            pull_context: fields.buffer("contextForPull"),
        },
        "CmLtImportUpdate" => {
            Request::LtImportUpdate { handle, ctrl, update: fields.buffer("update") }
        }
        "CmLtCleanup" => Request::LtCleanup { handle, ctrl },
        other => panic!("no expectation for {other}"),
    };
    fields.end();
    request
}

#[test]
fn every_captured_request_is_what_its_vector_says() {
    let mut seen = BTreeSet::new();
    for Captured { from, bytes, decoded } in captured() {
        let api = decoded["api"].as_str().unwrap();
        let request = Request::parse(&bytes).unwrap_or_else(|fault| panic!("{from}: {fault}"));
        assert_eq!(request, expected(api, &decoded["fields"]), "{from}");
        assert_eq!(request.name(), api, "{from}");
        assert_eq!(format!("{:#04x}", request.number()), decoded["opcode"], "{from}");
        let handle = decoded["fields"]["handle"].as_u64();
        assert_eq!(request.handle().map(u64::from), handle, "{from}");
        assert_eq!(request.encode(), bytes, "{from}");
        seen.insert(request.name());
    }
    assert_eq!(seen.len(), 13, "{seen:?}");
}

#[test]
fn no_beginning_of_a_captured_request_is_one() {
    for Captured { from, bytes, .. } in captured() {
        for length in 0..bytes.len() {
            let fault = Request::parse(&bytes[..length]).expect_err(&from);
            assert!(fault.offset <= length, "{from} cut at {length}: {fault}");
        }
    }
}

#[test]
fn captured_bytes_changed_one_by_one_survive_or_are_refused() {
    for Captured { from, bytes, .. } in captured() {
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] = !changed[at];
            if let Ok(request) = Request::parse(&changed) {
                assert_eq!(request.encode(), changed, "{from} changed at {at}");
            }
        }
    }
}

#[test]
fn the_longer_access_record_of_a_remote_client_survives() {
    let short = captured().into_iter().find(|one| one.bytes[0] == 0x64).unwrap().bytes;
    for extra in [545, 560, 568] {
        let tail: Vec<u8> = (0..extra).map(|at| u8::try_from(at % 251).unwrap() + 1).collect();
        let frame = [short.as_slice(), &tail].concat();
        let request = Request::parse(&frame).unwrap();
        let Request::Access2 { access, tail: kept, .. } = &request else {
            panic!("{extra}: {}", request.name());
        };
        assert_eq!(access.borrow_data.client_name.to_text(), "host-a000000001");
        assert_eq!(kept, &tail);
        assert_eq!(request.encode(), frame);
    }
}
