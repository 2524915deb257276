//! What must hold whatever a reader reads; the tests of the crates use it, too.

use cryptodl_wire::{Wire, frame};

/// Reads the bytes as they are, as a payload between the right header and checksum, and as changes to the payload of a
/// value that is `real`: what is read at all must be written as the same bytes again.
pub fn check<T: Wire>(parameters: &T::Parameters, real: &[u8], data: &[u8]) {
    let changed = changed(frame::payload(real), data);
    for bytes in [
        data,
        &frame::frame::<T>(parameters, data),
        &frame::frame::<T>(parameters, &changed),
    ] {
        let Ok(value) = T::from_bytes(parameters, bytes) else {
            continue;
        };
        let written = value.to_bytes();
        // text, and numbers of any width, can say the same in several ways
        if T::WORD_BYTES > 0 {
            assert_eq!(written, bytes, "{}", T::KIND);
        }
        let again = T::from_bytes(parameters, &written).expect("bytes of a value");
        assert_eq!(again.to_bytes(), written, "{}", T::KIND);
    }
}

/// Each four bytes of `data` put a byte at a place; where their fourth is odd, they cut everything off from there.
pub fn changed(payload: &[u8], data: &[u8]) -> Vec<u8> {
    let mut payload = payload.to_vec();
    for change in data.chunks_exact(4) {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]]));
        let place = place % payload.len().max(1);
        match payload.get_mut(place) {
            Some(_) if change[3] % 2 == 1 => payload.truncate(place),
            Some(byte) => *byte = change[2],
            None => {}
        }
    }
    payload
}
