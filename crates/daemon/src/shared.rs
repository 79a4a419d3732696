//! What the control thread and the data threads share: the TPM behind one lock, and beside it the few values that
//! must be readable and settable while a long command holds that lock.

use crate::log::say;
use crate::served::{Canceller, Describe, Served};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use core::time::Duration;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// TPM2_CC_SET_LOCALITY of the kernel's vTPM proxy driver.
const SET_LOCALITY: [u8; 4] = [0x20, 0x00, 0x10, 0x00];
const TPM_RC_LOCALITY: [u8; 10] = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x09, 0x07];
const TPM_RC_SUCCESS: [u8; 10] = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0];
const TPM_RC_FAILURE: [u8; 10] = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01];
/// INIT of the control channel.
const INIT: u32 = 2;
/// A data client that has left is gone at most this long after it, unless a command cannot be stopped.
const FAREWELL: Duration = Duration::from_secs(10);

/// Who has the data channel.
enum DataClient {
    Nobody,
    /// A second handle of the connection, to see whether the client has left; none if there was no descriptor for it.
    Somebody(Option<OwnedFd>),
}

impl DataClient {
    fn somebody(connection: BorrowedFd<'_>) -> Self {
        Self::Somebody(connection.try_clone_to_owned().ok())
    }

    const fn is_somebody(&self) -> bool {
        matches!(self, Self::Somebody(_))
    }

    /// True if the client has closed its side, which the thread that serves it may not have seen yet.
    fn has_left(&self) -> bool {
        let Self::Somebody(Some(fd)) = self else { return false };
        let mut fds = [PollFd::new(fd, PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(poll(&mut fds, Some(&now)), Ok(1..))
    }
}

/// Shared by all threads of the process.
pub(crate) struct Shared {
    tpm: Mutex<Box<dyn Served>>,
    cancel: Arc<AtomicBool>,
    canceller: Option<Canceller>,
    capabilities: u32,
    describe: Describe,
    fails_closed: bool,
    highest_locality: u8,
    /// The control command that failed, while that stops the guest's commands; else 0.
    refusing: AtomicU32,
    executing: AtomicBool,
    running: AtomicBool,
    established: AtomicBool,
    locality: AtomicU8,
    reject_locality_4: bool,
    allow_set_locality: bool,
    keys: (bool, bool),
    /// The one data client; extra connections wait.
    data_client: Mutex<DataClient>,
    data_free: Condvar,
    /// Wakes the control thread to end the process.
    ending: OwnedFd,
    failed: AtomicBool,
}

/// Writes `answer` to `response` and returns its length.
fn put(response: &mut [u8], answer: &[u8]) -> usize {
    for (to, from) in response.iter_mut().zip(answer) {
        *to = *from;
    }
    answer.len().min(response.len())
}

impl Shared {
    /// Around a TPM that was made with the same `cancel` flag.
    pub(crate) fn new(
        tpm: impl Served + 'static,
        cancel: Arc<AtomicBool>,
        reject_locality_4: bool,
        allow_set_locality: bool,
    ) -> rustix::io::Result<Self> {
        let shared = Self {
            cancel,
            canceller: tpm.canceller(),
            capabilities: tpm.capabilities(),
            describe: tpm.describe(),
            fails_closed: tpm.fails_closed(),
            highest_locality: tpm.highest_locality(),
            refusing: AtomicU32::new(0),
            executing: AtomicBool::new(false),
            running: AtomicBool::new(false),
            established: AtomicBool::new(false),
            locality: AtomicU8::new(0),
            reject_locality_4,
            allow_set_locality,
            keys: tpm.has_keys(),
            data_client: Mutex::new(DataClient::Nobody),
            data_free: Condvar::new(),
            ending: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            failed: AtomicBool::new(false),
            tpm: Mutex::new(Box::new(tpm)),
        };
        shared.publish(shared.tpm().as_ref());
        Ok(shared)
    }

    /// The TPM; waits for a running command.
    pub(crate) fn tpm(&self) -> MutexGuard<'_, Box<dyn Served>> {
        self.tpm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The TPM for a power change: a running command is told to stop first.
    pub(crate) fn interrupt(&self) -> MutexGuard<'_, Box<dyn Served>> {
        self.cancel();
        self.tpm()
    }

    /// CANCEL_TPM_CMD: the running command, if any, ends with TPM_RC_CANCELED. False if it could not be told so.
    pub(crate) fn cancel(&self) -> bool {
        if !self.executing.load(Ordering::SeqCst) {
            return true;
        }
        self.cancel.store(true, Ordering::SeqCst);
        self.canceller.as_ref().is_none_or(|cancel| cancel())
    }

    /// The bits of GET_CAPABILITY.
    pub(crate) fn capabilities(&self) -> u32 {
        self.capabilities
    }

    /// The text of GET_INFO.
    pub(crate) fn describe(&self, flags: u64) -> String {
        (self.describe)(flags)
    }

    /// A control command that acts on the TPM had this result. Where failures stop the guest, it goes on after the same
    /// command succeeded, or INIT did.
    pub(crate) fn after_control(&self, command: u32, result: u32) {
        if result != 0 {
            if self.fails_closed && self.refusing.swap(command, Ordering::SeqCst) == 0 {
                say!("control command 0x{command:02x} failed; until it succeeds no command of the guest is executed");
            }
        } else if command == INIT || command == self.refusing.load(Ordering::SeqCst) {
            self.refusing.store(0, Ordering::SeqCst);
        }
    }

    /// Makes the values that are read without the lock those of `tpm`.
    pub(crate) fn publish(&self, tpm: &dyn Served) {
        self.running.store(tpm.is_running(), Ordering::SeqCst);
        self.established.store(tpm.established(), Ordering::SeqCst);
    }

    /// True between INIT and STOP.
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::SeqCst)
    }

    /// The tpmEstablished bit.
    pub(crate) fn established(&self) -> bool {
        self.established.load(Ordering::SeqCst)
    }

    /// Sets the locality of the next commands; false if it is refused.
    pub(crate) fn set_locality(&self, locality: u8) -> bool {
        let allowed = locality <= self.highest_locality && !(locality == 4 && self.reject_locality_4);
        if allowed {
            self.locality.store(locality, Ordering::SeqCst);
        }
        allowed
    }

    /// Runs one command from the data channel; `locality` is that of a TCG prefix. Returns the length of the answer, or
    /// nothing if the process must end because the storage is in other hands.
    pub(crate) fn execute(&self, locality: Option<u8>, command: &[u8], response: &mut [u8]) -> Option<usize> {
        if let Some(locality) = locality {
            let extended = locality >= 32;
            if extended {
                self.locality.store(locality, Ordering::SeqCst);
            } else if !self.set_locality(locality) {
                return Some(put(response, &TPM_RC_LOCALITY));
            }
        }
        if self.allow_set_locality && command.get(6..10) == Some(&SET_LOCALITY) && self.is_running() {
            let accepted = command.len() == 11 && command.last().is_some_and(|l| self.set_locality(*l));
            return Some(put(response, if accepted { &TPM_RC_SUCCESS } else { &TPM_RC_LOCALITY }));
        }
        if self.refusing.load(Ordering::SeqCst) != 0 {
            return Some(put(response, &TPM_RC_FAILURE));
        }
        let mut tpm = self.tpm();
        if let Err(refused) = tpm.relock() {
            say!("{}", refused.why);
            return None;
        }
        // Who sees `executing` sees the flag cleared before, so that no cancel is lost.
        self.cancel.store(false, Ordering::Relaxed);
        self.executing.store(true, Ordering::Release);
        let length = tpm.execute(self.locality.load(Ordering::SeqCst), command, response);
        self.executing.store(false, Ordering::Release);
        self.established.store(tpm.established(), Ordering::Release);
        Some(length)
    }

    /// True if nobody is the data client. One that has left is waited for: a client that connects anew, as a virtual
    /// machine does that starts again, does not hear that it is still there itself.
    pub(crate) fn data_channel_is_free(&self) -> bool {
        let client = self.data_client();
        if !client.has_left() {
            return !client.is_somebody();
        }
        // Nobody hears the answer of its last command.
        self.cancel();
        let waited = self.data_free.wait_timeout_while(client, FAREWELL, |client| client.is_somebody());
        let (client, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !client.is_somebody()
    }

    fn data_client(&self) -> MutexGuard<'_, DataClient> {
        self.data_client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// GET_CONFIG: (a state key is set, a migration key is set).
    pub(crate) fn keys(&self) -> (bool, bool) {
        self.keys
    }

    /// The client of this connection becomes the data client if there is none.
    pub(crate) fn try_data_client(&self, connection: BorrowedFd<'_>) -> bool {
        let mut client = self.data_client();
        let free = !client.is_somebody();
        if free {
            *client = DataClient::somebody(connection);
        }
        free
    }

    /// Waits until there is no data client, and makes the one of this connection it.
    pub(crate) fn wait_data_client(&self, connection: BorrowedFd<'_>) {
        let waited = self.data_free.wait_while(self.data_client(), |client| client.is_somebody());
        *waited.unwrap_or_else(PoisonError::into_inner) = DataClient::somebody(connection);
    }

    /// The data client is gone.
    pub(crate) fn leave_data_client(&self) {
        *self.data_client() = DataClient::Nobody;
        self.data_free.notify_all();
    }

    /// Asks the control thread to end the process.
    pub(crate) fn end(&self, failed: bool) {
        self.failed.fetch_or(failed, Ordering::SeqCst);
        // The counter can only be full if the control thread was woken already.
        let _ = rustix::io::write(&self.ending, &1_u64.to_le_bytes());
    }

    /// Readable once [`Shared::end`] was called.
    pub(crate) fn ending(&self) -> BorrowedFd<'_> {
        self.ending.as_fd()
    }

    /// True if the end is because of a failure.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }
}
