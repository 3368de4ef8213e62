//! One gzip member of blocks that were compressed each on its own: a map of which one section changed compresses that
//! section.

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};

/// A member's header: deflate, no name, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// An empty block that is the last one.
const LAST: [u8; 2] = [3, 0];
/// Least room for what a flush adds.
const MARGIN: usize = 64;

/// Bytes as blocks of a deflate stream that ends at a byte and refers to nothing before it.
#[derive(Debug)]
pub struct Deflated {
    blocks: Bytes,
    crc: Crc,
}

impl Deflated {
    /// How many bytes the blocks have.
    pub const fn weight(&self) -> usize {
        self.blocks.len()
    }
}

/// Compresses.
pub fn deflate(bytes: &[u8]) -> Deflated {
    let mut crc = Crc::new();
    crc.update(bytes);
    let (mut compress, mut blocks) = (Compress::new(Compression::fast(), false), Vec::new());
    blocks.reserve(bytes.len() / 8 + MARGIN);
    loop {
        let taken = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        let rest = bytes.get(taken..).unwrap_or_default();
        // It fails for a wrong order of calls alone.
        if compress.compress_vec(rest, &mut blocks, FlushCompress::Full).is_err() {
            return stored(bytes);
        }
        // Room that is left says that the flush is complete.
        if blocks.len() < blocks.capacity() && compress.total_in() == bytes.len() as u64 {
            break;
        }
        blocks.reserve(blocks.capacity());
    }
    Deflated { blocks: blocks.into(), crc }
}

/// Blocks that are not compressed, for a few bytes between others.
pub fn stored(bytes: &[u8]) -> Deflated {
    let mut crc = Crc::new();
    crc.update(bytes);
    let mut blocks = Vec::with_capacity(bytes.len() + 5);
    for some in bytes.chunks(usize::from(u16::MAX)) {
        let length = u16::try_from(some.len()).unwrap_or_default();
        blocks.push(0);
        blocks.extend(length.to_le_bytes());
        blocks.extend((!length).to_le_bytes());
        blocks.extend(some);
    }
    Deflated { blocks: blocks.into(), crc }
}

/// The member that has all of these, in order.
pub fn member<'a>(parts: impl IntoIterator<Item = &'a Deflated>) -> Vec<Bytes> {
    let mut crc = Crc::new();
    let mut pieces = vec![Bytes::from_static(&HEADER)];
    for part in parts {
        crc.combine(&part.crc);
        pieces.push(part.blocks.clone());
    }
    let mut end = LAST.to_vec();
    end.extend(crc.sum().to_le_bytes());
    end.extend(crc.amount().to_le_bytes());
    pieces.push(end.into());
    pieces
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn parts_that_were_compressed_alone_are_one_member() {
        let long = "arena-night.A-12-7 AVAILABLE ".repeat(10_000);
        let noise: Vec<u8> =
            (0..50_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        let parts = [
            deflate(b""),
            stored(b"head"),
            deflate(long.as_bytes()),
            stored(b","),
            deflate(&noise),
            stored(&noise),
            stored(b""),
        ];
        let mut plain = vec![];
        GzDecoder::new(&*member(&parts).concat()).read_to_end(&mut plain).unwrap();
        assert!(plain == [b"head", long.as_bytes(), b",", &noise, &noise].concat());
        assert!(parts[2].weight() < long.len() / 20);
    }
}
