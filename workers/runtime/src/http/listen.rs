//! How every port is opened: with room for everybody who comes at one moment, because whoever finds no room tries again
//! after a second.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Once};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that may wait to be accepted: as many as the system allows, which makes less of it by itself.
const BACKLOG: u32 = i32::MAX.cast_unsigned();
/// What the system makes of it at most, where it is Linux.
const SYSTEM_BACKLOG: &str = "/proc/sys/net/core/somaxconn";
/// Fewer are soon too few.
const ENOUGH: u32 = 1024;

/// Opens a port. `[::]` is every address, also those of IPv4; where the system has no IPv6, those are all of them.
///
/// # Errors
/// An address that cannot be listened on.
pub fn listen(addr: SocketAddr) -> io::Result<Arc<TcpListener>> {
    static ROOM: Once = Once::new();
    ROOM.call_once(|| {
        allow_open_files();
        warn_of_small_backlog();
    });
    match open(addr) {
        Err(error) if addr.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&error) => {
            open((Ipv4Addr::UNSPECIFIED, addr.port()).into())
        }
        opened => opened,
    }
}

fn open(addr: SocketAddr) -> io::Result<Arc<TcpListener>> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if addr.ip() == Ipv6Addr::UNSPECIFIED {
        // Where the system would listen for IPv6 alone.
        SockRef::from(&socket).set_only_v6(false)?;
    }
    // Connections of an earlier process on this port may still be on their way out.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(Arc::new(socket.listen(BACKLOG)?))
}

/// Whether the system knows no IPv6, or has no address of it.
fn is_without_ipv6(error: &io::Error) -> bool {
    let lacks = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL];
    Errno::from_io_error(error).is_some_and(|errno| lacks.contains(&errno))
}

/// Lets this process open as many files as the system grants it: each connection is one, and the usual limit of 1,024 is
/// only where a program begins that does not ask.
pub fn allow_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// Connections that the system lets wait on a port; `None` where it does not say.
pub fn system_backlog() -> Option<u32> {
    std::fs::read_to_string(SYSTEM_BACKLOG).ok()?.trim().parse().ok()
}

fn warn_of_small_backlog() {
    if let Some(backlog) = system_backlog().filter(|backlog| *backlog < ENOUGH) {
        tracing::warn!(
            backlog,
            "only so many connections can wait on a port, and others try again after a second: raise the sysctl \
             net.core.somaxconn to {ENOUGH} or more"
        );
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn every_address_is_listened_on_by_either_protocol() {
        let listener = listen((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        if listener.local_addr().unwrap().is_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.unwrap();
        }
    }

    #[test]
    fn only_a_system_without_ipv6_is_listened_on_by_ipv4_alone() {
        assert!(is_without_ipv6(&Errno::AFNOSUPPORT.into()));
        assert!(is_without_ipv6(&Errno::ADDRNOTAVAIL.into()));
        assert!(!is_without_ipv6(&Errno::ADDRINUSE.into()));
    }
}
