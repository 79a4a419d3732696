//! The life of `vtpmd socket` and `vtpmd chardev`: start in swtpm's order, the event loop, and a clean end.

use crate::answer::answer_line;
use crate::background::{self, Side};
use crate::capture::Capture;
use crate::control::{self, Control, Outcome};
use crate::convert::SwtpmFolder;
use crate::failure::{Failure, failure};
use crate::listen::{self, Bound, Listener};
use crate::log::{self, say, trace};
use crate::notify::Notify;
use crate::options::{Interface, Options, Print, Program, SeccompAction, StateFormat, StateOption};
use crate::pid::PidFile;
use crate::seal::SealKey;
use crate::served::Served;
use crate::shared::Shared;
use crate::tpm::{Manners, Tpm};
use crate::user::Account;
use crate::{confine, data, info, instance, manage, private, profile, seccomp, storage};
use core::sync::atomic::AtomicBool;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use sealwright_tpm2::profile::Profile;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;

fn need_state(options: &Options) -> Result<&StateOption, Failure> {
    options.state.as_ref().ok_or_else(|| failure!("--tpmstate dir=FOLDER is needed (or the variable TPM_PATH)"))
}

/// Sizes of what is stored, in whichever format.
fn sizes(options: &Options, state: &StateOption) -> Result<[Option<u64>; 2], Failure> {
    if options.state_format() == StateFormat::Swtpm {
        let mut kept = storage::in_swtpms_format(options, state, None)?;
        return kept.sizes().map_err(|fault| failure!("{fault}"));
    }
    let mut store = storage::store(options, state, None)?;
    let swtpm = (!state.single).then(|| SwtpmFolder::open(&state.dir, None)).transpose();
    let swtpm = swtpm.map_err(|fault| failure!("{fault}"))?;
    let own = info::sizes(&mut store).map_err(|e| failure!("{e}"))?;
    Ok(own.unwrap_or_else(|| swtpm.map_or([None; 2], |swtpm| swtpm.sizes().into())))
}

/// The profile of the TPM whose state was named; of a new one where there is none.
fn shown_profile(options: &Options) -> Result<Profile, Failure> {
    let new = profile::of_options(options)?;
    let Some(state) = &options.state else { return Ok(new) };
    let key = options.key.as_ref().map(|k| SealKey::read("key", k)).transpose()?.map(Arc::new);
    let mut tpm = tpm_on(options, state, key, None, Arc::default())?;
    let stored = tpm.stored_profile().map_err(|refused| failure!("{}", refused.why))?;
    Ok(stored.unwrap_or(new))
}

fn print(options: &Options, what: Print) -> Result<ExitCode, Failure> {
    let text = match what {
        Print::Capabilities => info::capabilities(options.program, options.tpm2),
        Print::Info(flags) => info::json(flags, &shown_profile(options)?),
        Print::Profiles => info::profiles(),
        Print::States => info::states(sizes(options, need_state(options)?)?),
    };
    answer_line!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// Readable once SIGTERM or SIGINT came.
fn signals() -> Result<OwnedFd, Failure> {
    let failed = |e: std::io::Error| failure!("cannot wait for signals: {e}");
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let end = theirs.try_clone().map_err(failed)?;
        signal_hook::low_level::pipe::register(signal, end).map_err(failed)?;
    }
    Ok(ours.into())
}

/// The control channel's sockets.
struct ControlSide {
    listener: Option<Listener>,
    client: Option<OwnedFd>,
    control: Control,
    /// Exit when the client is gone.
    terminate: bool,
}

impl ControlSide {
    /// Answers SHUTDOWN.
    fn farewell(&self, code: u32) {
        if let Some(client) = &self.client {
            control::answer_shutdown(client, code);
        }
    }
}

/// Serves the control channel until the end.
fn event_loop(side: &mut ControlSide, shared: &Shared, signals: &OwnedFd) -> End {
    loop {
        let accepting = side.listener.as_ref().filter(|_| side.client.is_none());
        let third = match (&side.client, accepting) {
            (Some(client), _) => Some(client.as_fd()),
            (None, Some(listener)) => Some(listener.as_fd()),
            (None, None) => None,
        };
        let mut waiting =
            vec![PollFd::new(signals, PollFlags::IN), PollFd::from_borrowed_fd(shared.ending(), PollFlags::IN)];
        waiting.extend(third.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut waiting, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => {
                say!("cannot wait for events: {error}");
                return End::Failed;
            }
        }
        let mut ready = waiting.iter().map(|w| !w.revents().is_empty());
        let (signalled, ending, channel) =
            (ready.next() == Some(true), ready.next() == Some(true), ready.next() == Some(true));
        if signalled {
            trace!(1, "terminating");
            return End::Clean;
        }
        if ending {
            return if shared.has_failed() { End::Failed } else { End::Clean };
        }
        if !channel {
            continue;
        }
        let outcome = match &side.client {
            Some(client) => side.control.serve(client),
            None => {
                match side.listener.as_ref().map(Listener::accept) {
                    Some(Ok(client)) => side.client = Some(client),
                    Some(Err(Errno::AGAIN)) | None => {}
                    Some(Err(error)) => {
                        say!("the control channel cannot accept clients: {error}");
                        return End::Failed;
                    }
                }
                Outcome::Continue
            }
        };
        match outcome {
            Outcome::Continue => {}
            Outcome::Gone => {
                side.client = None;
                if side.terminate {
                    return End::Clean;
                }
            }
            Outcome::Shutdown => return End::Asked,
            Outcome::Failed => return End::Failed,
        }
    }
}

fn make_tpm(options: &Options, cancel: Arc<AtomicBool>) -> Result<Tpm, Failure> {
    let read = |name, key: &Option<_>| key.as_ref().map(|k| SealKey::read(name, k)).transpose();
    let key = read("key", &options.key)?.map(Arc::new);
    let migration_key = read("migration-key", &options.migration_key)?;
    tpm_on(options, need_state(options)?, key, migration_key, cancel)
}

fn tpm_on(
    options: &Options,
    state: &StateOption,
    key: Option<Arc<SealKey>>,
    migration_key: Option<SealKey>,
    cancel: Arc<AtomicBool>,
) -> Result<Tpm, Failure> {
    let store = storage::kept(options, state, key.as_ref())?;
    // Where the state is in our own format, that of swtpm may be beside it, but not in a single file.
    let is_swtpm = options.state_format() == StateFormat::Swtpm;
    let swtpm = (!state.single && !is_swtpm).then(|| SwtpmFolder::open(&state.dir, key.clone())).transpose();
    let swtpm = swtpm.map_err(|fault| failure!("{fault}"))?;
    let maker = instance::maker_with(options.crypto.as_deref(), profile::of_options(options)?)?;
    let manners = Manners {
        disable_auto_shutdown: options.disable_auto_shutdown,
        incoming: options.incoming,
        create: options.store.create,
        swtpm_blobs: options.swtpm_blobs || is_swtpm,
    };
    let tpm = Tpm::new(maker, store, key, migration_key, manners, cancel);
    Ok(match swtpm {
        Some(swtpm) => tpm.with_swtpm(swtpm),
        None => tpm,
    })
}

/// Starts the TPM as far as the options say, before anybody is told that it is ready.
fn power_up(options: &Options, tpm: &mut Tpm) -> Result<(), Failure> {
    if options.not_need_init {
        tpm.init(false).map_err(|refused| failure!("{}", refused.why))?;
        if let Some(kind) = options.startup {
            let code = tpm.startup(kind);
            if code != 0 {
                return Err(failure!("the TPM refused TPM2_Startup with 0x{code:x}"));
            }
        }
    } else if !options.incoming && options.state_format() == StateFormat::Vtpmd {
        // In swtpm's place INIT says it, as VM managers expect.
        tpm.check_stored().map_err(|refused| failure!("{}", refused.why))?;
    }
    tpm.open_keys().map_err(|refused| failure!("{}", refused.why))
}

/// Why the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A signal, or a client that left.
    Clean,
    /// SHUTDOWN, which is not answered yet.
    Asked,
    /// Something that was said.
    Failed,
}

/// Runs `vtpmd socket` or `vtpmd chardev`.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    if let Some(what @ (Print::Capabilities | Print::Profiles)) = options.print {
        return print(options, what);
    }
    if let (Some(what @ Print::Info(_)), None) = (options.print, &options.state) {
        return print(options, what);
    }
    if !options.tpm2 {
        return Err(failure!("TPM 1.2 is not supported yet: give --tpm2 for a TPM 2.0"));
    }
    let ready = match begin(options)? {
        Begun::Ended(code) => return Ok(code),
        Begun::Running(ready) => ready,
    };
    enter(options)?;
    if let Some(what @ (Print::States | Print::Info(_))) = options.print {
        return print(options, what);
    }
    if options.interface == Interface::Chardev && options.server.is_none() {
        return Err(failure!("no character device was given: --chardev, --vtpm-proxy or --fd is needed"));
    }
    serve(options, ready, |options, cancel| {
        let capture = options.pcap.as_ref().map(Capture::open).transpose()?;
        let mut tpm = make_tpm(options, cancel)?.with_capture(capture);
        power_up(options, &mut tpm)?;
        Ok(tpm)
    })
}

/// What a process that was started is.
pub(crate) enum Begun {
    /// It started another one in the background, and ends with this.
    Ended(ExitCode),
    /// It runs on, and says so when it is ready.
    Running(Option<background::Ready>),
}

/// Goes to the background if asked to.
pub(crate) fn begin(options: &Options) -> Result<Begun, Failure> {
    let mut ready = None;
    if options.daemon && options.print.is_none() {
        match background::split()? {
            Side::Parent(code) => return Ok(Begun::Ended(code)),
            Side::Child(channel) => ready = Some(channel),
        }
    }
    Ok(Begun::Running(ready))
}

/// Shuts this memory against others, changes root and user, and opens the log.
pub(crate) fn enter(options: &Options) -> Result<(), Failure> {
    // First while it still may lift limits; a change of user may undo a part.
    let mut locked = private::protect(options.runas.is_none())?;
    let account = options.runas.as_deref().map(Account::find).transpose()?;
    if let Some(root) = &options.chroot {
        rustix::process::chroot(root)
            .and_then(|()| rustix::process::chdir("/"))
            .map_err(|e| failure!("--chroot: cannot change to {}: {e}", root.display()))?;
    }
    if let Some(account) = &account {
        account.become_it()?;
        locked |= private::protect(true)?;
    }
    if let Some(log) = &options.log {
        log::open(log)?;
    }
    if !locked {
        trace!(2, "memory is not locked: it may be swapped out (LimitMEMLOCK=infinity allows locking)");
    }
    Ok(())
}

/// Makes the channels, serves the TPM that `make` gives on them, and ends with it.
pub(crate) fn serve<T: Served + 'static>(
    options: &Options,
    ready: Option<background::Ready>,
    make: impl FnOnce(&Options, Arc<AtomicBool>) -> Result<T, Failure>,
) -> Result<ExitCode, Failure> {
    // swtpm looks at its state first, and scripts ask it so whether that is in use.
    let has_channel = || match (&options.ctrl, &options.server) {
        (None, None) => Err(failure!("no channel was given: --ctrl, --server, --port or --fd is needed")),
        _ => Ok(()),
    };
    if options.program == Program::Vtpmd {
        has_channel()?;
    }
    if options.ctrl.is_none() && !options.not_need_init {
        return Err(failure!(
            "without a control channel nobody can start the TPM: give --ctrl, or --flags not-need-init"
        ));
    }
    // Before the pid file invites others to send them.
    let signals = signals()?;
    // Sockets come first: VM managers wait for them to appear for a second at most.
    let mut names = Vec::new();
    let mut bind = |name: &str, endpoint: &_| {
        let bound = listen::bind(name, endpoint)?;
        if let Bound::Listening(listener) = &bound {
            names.extend(listener.to_give_up());
        }
        Ok::<_, Failure>(bound)
    };
    let control = options.ctrl.as_ref().map(|c| bind("ctrl", &c.endpoint)).transpose()?;
    let server = options.server.as_ref().map(|s| bind("server", &s.endpoint)).transpose()?;
    let manage = options.manage.as_ref().map(|endpoint| bind("manage", endpoint)).transpose()?;
    let cancel = Arc::new(AtomicBool::new(false));
    let tpm = make(options, cancel.clone())?;
    has_channel()?;
    let pid = options.pid.as_ref().map(PidFile::write).transpose()?;
    let needs = tpm.needs();
    let shared = Shared::new(tpm, cancel, options.reject_locality_4, options.allow_set_locality);
    let shared = Arc::new(shared.map_err(|e| failure!("cannot make an event: {e}"))?);
    let manage = manage.map(|bound| {
        let durability = storage::durability(&options.store, need_state(options)?);
        Ok::<_, Failure>((bound, manage::Service::new(shared.clone(), durability)))
    });
    let manage = manage.transpose()?;
    let notify = Notify::connect();
    let action = options.seccomp.unwrap_or(SeccompAction::Kill);
    confine::apply(options, &needs)?;
    seccomp::install(action, needs.connects)?;

    let (listener, client) = match control {
        Some(Bound::Listening(listener)) => (Some(listener), None),
        Some(Bound::Connected(client)) => (None, Some(client)),
        None => (None, None),
    };
    let terminate = options.ctrl.as_ref().is_some_and(|c| c.terminate);
    let control = Control::new(shared.clone(), options.terminate);
    let mut side = ControlSide { listener, client, control, terminate };
    let started = match server {
        Some(Bound::Connected(fd)) => {
            shared.try_data_client(fd.as_fd());
            data::start_client(fd, shared.clone(), data::Origin::Outside, options.terminate)
        }
        Some(Bound::Listening(listener)) => {
            let disconnect = options.server.as_ref().is_some_and(|s| s.disconnect);
            data::start_acceptor(listener, shared.clone(), disconnect, options.terminate)
        }
        None => Ok(()),
    };
    started.map_err(|e| failure!("cannot start the data channel: {e}"))?;
    if let Some((Bound::Listening(listener), service)) = manage {
        manage::start(listener, service).map_err(|e| failure!("cannot start the management socket: {e}"))?;
    }
    if let Some(ready) = ready {
        ready.tell();
    }
    notify.ready();
    let end = event_loop(&mut side, &shared, &signals);

    // From here no command is answered any more: the TPM is held until the process is gone.
    let mut tpm = shared.interrupt();
    let code = tpm.stop();
    tpm.wipe();
    drop(names);
    drop(pid);
    core::mem::forget(tpm);
    // The last thing: who hears it starts the next daemon at once, on the same state, files and ports.
    if end == End::Asked {
        side.farewell(code);
    }
    Ok(if end == End::Failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
