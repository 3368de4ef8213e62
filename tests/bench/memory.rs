//! What a server takes up, in its own memory and in the system's for connections.

use anyhow::Context;
use boxoffice_tests::process::Process;

/// The memory of `server` and that of all TCP sockets of the machine, in MiB. The other sides of its connections are among them.
///
/// # Errors
/// A server that has ended, or a system without `/proc`.
pub fn footprint(server: &Process) -> anyhow::Result<f64> {
    let sockets = std::fs::read_to_string("/proc/net/sockstat")?;
    Ok(server.memory()? + f64::from(pages(&sockets)?) * page_mib()?)
}

fn page_mib() -> anyhow::Result<f64> {
    Ok(f64::from(u32::try_from(rustix::param::page_size())?) / 1024.0 / 1024.0)
}

/// Pages of TCP's memory.
fn pages(sockstat: &str) -> anyhow::Result<u32> {
    let tcp = sockstat.lines().find_map(|line| line.strip_prefix("TCP:")).context("no TCP in sockstat")?;
    let mut words = tcp.split_whitespace().skip_while(|word| *word != "mem").skip(1);
    words.next().context("no mem in sockstat")?.parse().context("mem in sockstat")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_tcp_is_found() {
        let sockstat = "sockets: used 170\nTCP: inuse 20 orphan 0 tw 3 alloc 31 mem 12\nUDP: inuse 1 mem 4\n";
        assert_eq!(pages(sockstat).unwrap(), 12);
        assert!(pages("sockets: used 170\n").is_err());
    }
}
