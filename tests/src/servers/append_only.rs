//! The append-only file of a Redis that was killed, and a power cut that came before what it has last was flushed.
//!
//! A file that ends in the middle of a transaction is not what Redis should be given: it drops the transaction at the
//! start after, but leaves its beginning in the file, and carries that out at the next start together with whatever came
//! since (valkey-io/valkey#4342; so does Redis 7.0). It is cut in front of the transaction, as `redis-check-aof --fix`
//! does.

use std::fs::File;
use std::path::PathBuf;

use anyhow::Context;

use super::redis_kinds::RedisKind;
use super::server::Server;

/// What ends a transaction.
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// How far a server has come in appending.
#[derive(Debug, PartialEq, Eq)]
pub struct Appended {
    /// The number of the file to which it appends: another one after a rewrite has begun.
    pub file: u64,
    /// How long that is.
    pub length: u64,
}

impl Server<RedisKind> {
    /// How far it has come.
    ///
    /// # Errors
    /// It has no append-only file.
    pub fn appended(&self) -> anyhow::Result<Appended> {
        let (file, path) = self.append_only_file()?;
        Ok(Appended { file, length: path.metadata()?.len() })
    }

    /// Takes what was appended beyond `length` away, and what of that belongs to a transaction that began before: how
    /// long the file is now. For one that was killed.
    ///
    /// # Errors
    /// There is no such file.
    pub fn cut(&self, length: u64) -> anyhow::Result<u64> {
        let (_, path) = self.append_only_file()?;
        let whole = whole_until(&std::fs::read(&path)?, usize::try_from(length)?) as u64;
        File::options().write(true).open(&path)?.set_len(whole)?;
        Ok(whole)
    }

    /// Tears its last transaction apart in the middle of a command, as a power cut may: its end is gone, its beginning
    /// is not. For one that was killed, and wrote a transaction last.
    ///
    /// # Errors
    /// There is no such file.
    pub fn tear(&self) -> anyhow::Result<()> {
        let (_, path) = self.append_only_file()?;
        let file = std::fs::read(&path)?;
        anyhow::ensure!(file.ends_with(EXEC), "a transaction is not what was written last");
        let in_the_last_command = file.len() - EXEC.len() - b"?\r\n".len();
        Ok(File::options().write(true).open(&path)?.set_len(in_the_last_command as u64)?)
    }

    /// The file to which it appends, the last of those `appendonly.aof.<number>.incr.aof`, with its number.
    fn append_only_file(&self) -> anyhow::Result<(u64, PathBuf)> {
        let numbered = |path: PathBuf| {
            let name = path.file_name()?.to_str()?.strip_suffix(".incr.aof")?;
            Some((name.rsplit('.').next()?.parse().ok()?, path))
        };
        let files = std::fs::read_dir(self.folder().join("appendonlydir"))?;
        let numbered = files.filter_map(Result::ok).filter_map(|file| numbered(file.path()));
        numbered.max().context("there is no append-only file")
    }
}

/// The end of the last command, or of the last transaction, that is within the first `length` bytes of `file`.
fn whole_until(file: &[u8], length: usize) -> usize {
    let (mut whole, mut at, mut in_transaction) = (0, 0, false);
    while let Some((name, end)) = command(file, at).filter(|(_, end)| *end <= length) {
        match name {
            b"MULTI" => in_transaction = true,
            b"EXEC" => in_transaction = false,
            _ => {}
        }
        at = end;
        if !in_transaction {
            whole = at;
        }
    }
    whole
}

/// The name of the command that begins at `at`, and where it ends: `*<parts>`, then `$<length>` and a text for each.
fn command(file: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (parts, mut at) = number(file, at, b'*')?;
    let mut name = None;
    for _ in 0..parts {
        let (length, begin) = number(file, at, b'$')?;
        let text = file.get(begin..begin + length)?;
        name = name.or(Some(text));
        at = begin + length + 2;
    }
    (at <= file.len()).then_some((name?, at))
}

/// The number behind `sign` at `at`, and where its line ends.
fn number(file: &[u8], at: usize, sign: u8) -> Option<(usize, usize)> {
    let rest = file.get(at..)?.strip_prefix(&[sign])?;
    let digits = rest.iter().position(|byte| *byte == b'\r')?;
    let number = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
    Some((number, at + 1 + digits + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_between_commands_and_in_front_of_a_transaction() {
        let set = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\n1\r\n23\r\n";
        let (multi, exec) = ("*1\r\n$5\r\nMULTI\r\n", "*1\r\n$4\r\nEXEC\r\n");
        let file = [set, multi, set, set, exec, set].concat();
        let (first, transaction) = (set.len(), [set, multi, set, set, exec].concat().len());
        for length in 0..=file.len() {
            let expected = match length {
                _ if length < first => 0,
                _ if length < transaction => first,
                _ if length < file.len() => transaction,
                _ => file.len(),
            };
            assert_eq!(whole_until(file.as_bytes(), length), expected, "{length}");
        }
        assert_eq!(whole_until(&file.as_bytes()[..file.len() - 1], file.len()), transaction, "a torn file");
    }
}
