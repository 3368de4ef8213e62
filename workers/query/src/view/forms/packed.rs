//! A map as few bytes as it takes: `application/vnd.boxoffice.seatmap`.
//!
//! All numbers are unsigned, the first byte the highest.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `BOSM` |
//! | 1 | version of the form: 1 |
//! | 3 | 0 |
//! | 8 | fingerprint of which seats there are: `seatsHash` of the chart, read as a hexadecimal number |
//! | 8 | epoch |
//! | 8 | sequence |
//! | 4 | how many seats there are |
//! | 4 seats a byte | what each seat is, in the order of the chart, the first of four in the two lowest bits: 0 AVAILABLE, 1 HELD, 2 RESERVED, 3 BLOCKED |

use boxoffice_domain::project::SeatStatus;
use bytes::Bytes;

use crate::view::tag::Tag;

/// Its media type.
pub const MEDIA_TYPE: &str = "application/vnd.boxoffice.seatmap";

/// The form of a map.
pub fn packed(tag: &Tag, statuses: &[SeatStatus]) -> Bytes {
    let mut bytes = Vec::with_capacity(36 + statuses.len().div_ceil(4));
    bytes.extend(b"BOSM\x01\0\0\0");
    bytes.extend(u64::from_str_radix(&tag.seats_hash, 16).unwrap_or_default().to_be_bytes());
    bytes.extend(tag.epoch.to_be_bytes());
    bytes.extend(tag.sequence.to_be_bytes());
    bytes.extend(u32::try_from(statuses.len()).unwrap_or(u32::MAX).to_be_bytes());
    let byte = |four: &[SeatStatus]| {
        four.iter().rev().fold(0, |byte, status| {
            byte << 2
                | match status {
                    SeatStatus::Available => 0,
                    SeatStatus::Held => 1,
                    SeatStatus::Reserved => 2,
                    SeatStatus::Blocked => 3,
                }
        })
    };
    bytes.extend(statuses.chunks(4).map(byte));
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let tag = Tag { seats_hash: "00000000000000ab".into(), epoch: 1, sequence: 258 };
        let [available, held, reserved, blocked] = SeatStatus::ALL;
        let bytes = packed(&tag, &[held, available, reserved, blocked, reserved]);
        let expected: &[u8] =
            b"BOSM\x01\0\0\0\0\0\0\0\0\0\0\xab\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x01\x02\0\0\0\x05\xe1\x02";
        assert_eq!(&*bytes, expected);
    }
}
