//! Both channels on TCP, over IPv4 and IPv6, and the ways in which a daemon says that it is there.

mod common;

use common::{Control, Daemon, Data, Folder, VTPMD, command, ports, wait};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// GET_CAPABILITY's answer.
const CAPABILITIES: [u8; 8] = [0, 0, 0, 0, 0, 1, 0xff, 0xff];

/// A daemon that is killed at the end of the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn on_tcp(folder: &Folder, words: &[&str]) -> Killed {
    let state = format!("dir={}", folder.text("state"));
    let mut command = Command::new(VTPMD);
    command.args(["socket", "--tpm2", "--tpmstate", &state]).args(words).stdin(Stdio::null());
    Killed(command.spawn().unwrap())
}

fn connect(address: IpAddr, port: u16) -> TcpStream {
    let stream = wait("the port", || TcpStream::connect(SocketAddr::new(address, port)).ok());
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn serves_both_channels(name: &str, address: IpAddr) {
    let folder = Folder::new(name);
    let [control, data] = ports(address);
    let control_option = format!("type=tcp,port={control},bindaddr={address}");
    let data_option = format!("type=tcp,port={data},bindaddr={address}");
    let mut daemon = on_tcp(&folder, &["--ctrl", &control_option, "--server", &data_option]);
    let mut client = Control(connect(address, control));
    assert_eq!(client.ask(1, &[], 8), CAPABILITIES);
    assert_eq!(client.result(0x10, &[]), 3, "SET_DATAFD cannot come over TCP");
    assert_eq!(client.result(0x02, &[0; 4]), 0, "INIT");
    let mut commands = Data(connect(address, data));
    assert_eq!(commands.startup(), 0);
    assert_eq!(commands.random().0, 0);
    // A client that leaves makes room for the next, on both channels.
    drop((client, commands));
    let mut commands = Data(connect(address, data));
    assert_eq!(commands.extend(), 0);
    let mut client = Control(connect(address, control));
    client.shutdown();
    assert!(wait("the end", || daemon.0.try_wait().unwrap()).success());
}

#[test]
fn both_channels_on_ipv4() {
    serves_both_channels("ipv4", Ipv4Addr::LOCALHOST.into());
}

#[test]
fn both_channels_on_ipv6() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("this machine has no IPv6: not tested");
        return;
    }
    serves_both_channels("ipv6", Ipv6Addr::LOCALHOST.into());
}

#[test]
fn a_port_alone_serves_commands_and_a_taken_one_is_refused() {
    let folder = Folder::new("port");
    let [port] = ports(Ipv4Addr::LOCALHOST.into());
    let number = port.to_string();
    let _daemon = on_tcp(&folder, &["--port", &number, "--flags", "startup-clear"]);
    for _ in 0..2 {
        let mut commands = Data(connect(Ipv4Addr::LOCALHOST.into(), port));
        assert_eq!(commands.random().0, 0);
        assert_eq!(commands.0.read(&mut [0; 1]).unwrap(), 0, "closed after the answer");
    }
    let other = Folder::new("port-taken");
    let state = format!("dir={}", other.text("state"));
    let words = ["socket", "--tpm2", "--tpmstate", &state, "--port", &number, "--flags", "startup-clear"];
    let refused = Command::new(VTPMD).args(words).output().unwrap();
    let message = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(message.contains(&number) && message.contains("bind"), "{message}");
}

#[test]
fn addresses_that_are_none_are_named() {
    let folder = Folder::new("addresses");
    let state = format!("dir={}", folder.text("state"));
    for option in ["type=tcp,port=1,bindaddr=nowhere.invalid", "type=tcp,port=65536", "type=tcp,port=0x10", "type=tcp"]
    {
        let words = ["socket", "--tpm2", "--tpmstate", &state, "--ctrl", option];
        let refused = Command::new(VTPMD).args(words).output().unwrap();
        let message = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{option}");
        assert!(message.contains("--ctrl"), "{option}: {message}");
    }
}

#[test]
fn a_listening_socket_is_taken_by_number() {
    let folder = Folder::new("listening");
    let listener = std::os::unix::net::UnixListener::bind(folder.at("handed-over")).unwrap();
    let mut child = Command::new("sh")
        .args(["-c", r#"exec "$0" "$@" 8<&0 </dev/null"#, VTPMD, "socket", "--tpm2"])
        .args(["--tpmstate", &format!("dir={}", folder.text("state")), "--ctrl", "type=unixio,fd=8"])
        .stdin(OwnedFd::from(listener))
        .spawn()
        .unwrap();
    for _ in 0..2 {
        let stream = UnixStream::connect(folder.at("handed-over")).unwrap();
        assert_eq!(Control(stream).ask(1, &[], 8), CAPABILITIES);
    }
    Control(UnixStream::connect(folder.at("handed-over")).unwrap()).shutdown();
    assert!(wait("the end", || child.try_wait().unwrap()).success());
    assert!(folder.at("handed-over").exists(), "another process's socket is left alone");
}

/// Starts a daemon with NOTIFY_SOCKET and waits for its message; it must serve at that moment.
fn notifies(folder: &Folder, socket: &UnixDatagram, name: &str) {
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut child = Killed(command(folder, &["--flags", "startup-clear"]).env("NOTIFY_SOCKET", name).spawn().unwrap());
    let mut message = [0; 64];
    let length = loop {
        // A wait with a limit is not taken up again after a signal.
        match socket.recv(&mut message) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            received => break received.unwrap(),
        }
    };
    assert_eq!(message[..length], *b"READY=1");
    let mut data = Data::new(UnixStream::connect(folder.at("data")).unwrap());
    assert_eq!(data.random().0, 0);
    Control(UnixStream::connect(folder.at("ctrl")).unwrap()).shutdown();
    assert!(wait("the end", || child.0.try_wait().unwrap()).success());
}

#[test]
fn systemd_is_told_when_the_tpm_is_ready() {
    let folder = Folder::new("notify");
    let socket = UnixDatagram::bind(folder.at("notify")).unwrap();
    notifies(&folder, &socket, &folder.text("notify"));
    let name = format!("vtpmd-test-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    notifies(&folder, &socket, &format!("@{name}"));
    // One that nobody listens on does no harm.
    let mut child = command(&folder, &["--flags", "startup-clear"])
        .env("NOTIFY_SOCKET", folder.at("nobody"))
        .spawn()
        .map(Killed)
        .unwrap();
    let stream = wait("the control socket", || UnixStream::connect(folder.at("ctrl")).ok());
    Control(stream).shutdown();
    assert!(wait("the end", || child.0.try_wait().unwrap()).success());
}

/// The log of one short life.
fn log_of(folder: &Folder, option: &str) -> String {
    let mut daemon = Daemon::running(folder, &["--log", option]);
    assert_eq!(daemon.control().ask(1, &[], 8), CAPABILITIES);
    daemon.control().shutdown();
    assert!(daemon.wait().success());
    let path = folder.at("log");
    if path.exists() { std::fs::read_to_string(path).unwrap() } else { String::new() }
}

#[test]
fn the_log_has_levels_a_prefix_and_can_begin_anew() {
    let folder = Folder::new("log");
    let file = format!("file={}", folder.text("log"));
    let first = log_of(&folder, &format!("{file},level=3,prefix=vm7 "));
    assert!(first.contains("vm7 control command 0x01, 0 bytes"), "{first}");
    assert!(first.lines().all(|line| line.trim_start().starts_with("vm7 ")), "{first}");
    let second = log_of(&folder, &format!("{file},level=1"));
    assert!(second.starts_with(&first), "a log grows");
    assert!(!second[first.len()..].contains("control command"), "level 1 shows no commands");
    let third = log_of(&folder, &format!("{file},level=3,truncate"));
    assert!(!third.contains("vm7") && third.contains("control command"), "{third}");
    let silent = log_of(&folder, &format!("{file},level=0,truncate"));
    assert_eq!(silent, "");
}

#[test]
fn links_are_not_followed_where_files_are_written() {
    let folder = Folder::new("links");
    std::fs::write(folder.at("precious"), "kept").unwrap();
    for (option, value) in [("--log", "file=LINK,truncate"), ("--pid", "file=LINK")] {
        let link = folder.at("link");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(folder.at("precious"), &link).unwrap();
        let refused = command(&folder, &[option, &value.replace("LINK", &folder.text("link"))]).output().unwrap();
        assert_eq!(refused.status.code(), Some(1), "{option}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("link"), "{option}");
        assert_eq!(std::fs::read_to_string(folder.at("precious")).unwrap(), "kept");
    }
}

#[test]
fn background_pid_and_log_work_together_from_any_folder() {
    let folder = Folder::new("together");
    let relative = |name: &str| Path::new(name).to_str().unwrap().to_owned();
    let mut parent = Command::new(VTPMD)
        .args(["socket", "--tpm2", "--tpmstate", "dir=state", "--ctrl", "type=unixio,path=ctrl"])
        .args(["--server", "type=unixio,path=data", "--flags", "startup-clear", "--daemon"])
        .args(["--pid", &format!("file={}", relative("pid")), "--log", "file=log,level=2"])
        .current_dir(folder.at(""))
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    assert!(wait("the parent's end", || parent.try_wait().unwrap()).success());
    // At this moment everything is there: the pid file is whole, both channels serve.
    let pid: u32 = std::fs::read_to_string(folder.at("pid")).unwrap().trim().parse().unwrap();
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    let mut data = Data::new(UnixStream::connect(folder.at("data")).unwrap());
    assert_eq!(data.random().0, 0);
    // It has left the terminal's session.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat.rsplit(") ").next().unwrap().split(' ').nth(3).unwrap();
    assert_eq!(session, pid.to_string());
    assert!(Command::new("kill").arg(pid.to_string()).status().unwrap().success());
    wait("the end", || (!folder.at("pid").exists() && !folder.at("ctrl").exists()).then_some(()));
    assert!(std::fs::read_to_string(folder.at("log")).unwrap().contains("terminating"));
    let mut rest = Vec::new();
    assert_eq!(data.0.write_all(&[0]).and_then(|()| data.0.read_to_end(&mut rest)).unwrap_or(0), 0);
}
