//! The commands, and what becomes of them.

use core::time::Duration;
use rustix::rand::{GetRandomFlags, getrandom};
use sealwright_channel::command_line::print;
use sealwright_channel::{Address, Data, Fault, HEADER};
use zeroize::Zeroizing;

/// For one response. A self test of slow hardware takes seconds.
const TIMEOUT: Duration = Duration::from_secs(60);

/// TPM 1.2: TSC_PhysicalPresence may be commanded.
const PRESENCE_COMMANDS: u16 = 0x0020;
/// Somebody is there.
const PRESENT: u16 = 0x0008;
/// Nobody is there, until the next reset.
const NOT_PRESENT_AND_LOCK: u16 = 0x0014;
/// Where the permanent flags of TPM_GetCapability say "deactivated": behind the header, the length, the tag, and two
/// other flags.
const DEACTIVATED: usize = HEADER + 4 + 2 + 2;

/// The Startup to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Startup {
    Clear,
    State,
    /// TPM 1.2 only.
    Deactivated,
}

/// What to send.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) tpm2: bool,
    pub(crate) startup: Option<Startup>,
    pub(crate) only_startup: bool,
    pub(crate) self_test: bool,
    pub(crate) ensure_activated: bool,
    pub(crate) give_up_presence: bool,
}

impl Default for Sequence {
    fn default() -> Self {
        Self {
            tpm2: false,
            startup: Some(Startup::Clear),
            only_startup: false,
            self_test: false,
            ensure_activated: false,
            give_up_presence: false,
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All commands succeeded.
    Done,
    /// The TPM answered at least one with an error.
    TpmError,
    /// The TPM is activated from its next reset on.
    NeedsReset,
}

fn command(tag: u16, code: u32, rest: &[&[u8]]) -> Vec<u8> {
    let rest = rest.concat();
    let size = u32::try_from(HEADER.saturating_add(rest.len())).unwrap_or(u32::MAX);
    [&tag.to_be_bytes()[..], &size.to_be_bytes(), &code.to_be_bytes(), &rest].concat()
}

/// TPM_TAG_RQU_COMMAND.
fn tpm12(code: u32, rest: &[&[u8]]) -> Vec<u8> {
    command(0x00c1, code, rest)
}

fn presence(what: u16) -> Vec<u8> {
    tpm12(0x4000_000a, &[&what.to_be_bytes()])
}

/// The TPM and what it said so far.
struct Conversation<'a> {
    address: &'a Address,
    end: End,
    /// swtpm's tool names errors of a TPM 2.0 on standard output.
    on_stdout: bool,
}

impl Conversation<'_> {
    /// Sends one command, on a connection of its own: a daemon may close it after each response.
    fn send(&mut self, name: &str, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let response = Data::new(self.address.connect()?, Some(TIMEOUT))?.transmit(command)?;
        let code = response.get(6..HEADER).and_then(|code| code.try_into().ok()).map_or(u32::MAX, u32::from_be_bytes);
        if code != 0 {
            self.end = End::TpmError;
            let message = format!("{name} returned error code 0x{code:08x}");
            if self.on_stdout {
                print(format_args!("{message}\n"));
            } else {
                eprintln!("{message}");
            }
        }
        Ok(response)
    }
}

impl Sequence {
    /// Sends the commands, all of them even if one fails; ends early only when the TPM cannot be reached, or needs a
    /// reset.
    pub(crate) fn run(&self, address: &Address) -> Result<End, Fault> {
        let mut tpm = Conversation { address, end: End::Done, on_stdout: self.tpm2 };
        if self.tpm2 {
            self.tpm2(&mut tpm)?
        } else {
            self.tpm12(&mut tpm)?
        }
        Ok(tpm.end)
    }

    fn tpm12(&self, tpm: &mut Conversation<'_>) -> Result<(), Fault> {
        let kind: Option<u16> = self.startup.map(|startup| match startup {
            Startup::Clear => 1,
            Startup::State => 2,
            Startup::Deactivated => 3,
        });
        if let Some(kind) = kind {
            tpm.send(&format!("TPM_Startup(0x{kind:02x})"), &tpm12(0x99, &[&kind.to_be_bytes()]))?;
        }
        if !self.only_startup && self.startup != Some(Startup::Deactivated) {
            tpm.send("TSC_PhysicalPresence(CMD_ENABLE)", &presence(PRESENCE_COMMANDS))?;
            tpm.send("TSC_PhysicalPresence(PRESENT)", &presence(PRESENT))?;
            let mut deactivated = false;
            if self.ensure_activated {
                // TPM_CAP_FLAG, TPM_CAP_FLAG_PERMANENT.
                let which = [4_u32, 4, 0x108].map(u32::to_be_bytes);
                let flags = tpm.send("TPM_GetCapability()", &tpm12(0x65, &[which.as_flattened()]))?;
                deactivated = flags.get(DEACTIVATED).is_some_and(|flag| *flag != 0);
            }
            tpm.send("TPM_PhysicalEnable", &tpm12(0x6f, &[]))?;
            tpm.send("TPM_PhysicalSetDeactivated", &tpm12(0x72, &[&[0]]))?;
            if deactivated {
                print(format_args!("TPM requires a reset\n"));
                tpm.end = End::NeedsReset;
                return Ok(());
            }
        }
        if self.self_test {
            tpm.send("TPM_ContinueSelfTest", &tpm12(0x53, &[]))?;
        }
        if self.give_up_presence {
            tpm.send("TSC_PhysicalPresence(CMD_ENABLE)", &presence(PRESENCE_COMMANDS))?;
            tpm.send("TSC_PhysicalPresence(NOT_PRESENT|LOCK)", &presence(NOT_PRESENT_AND_LOCK))?;
        }
        Ok(())
    }

    fn tpm2(&self, tpm: &mut Conversation<'_>) -> Result<(), Fault> {
        // TPM_ST_NO_SESSIONS and TPM_ST_SESSIONS.
        let (plain, sessions) = (0x8001, 0x8002);
        let kind: Option<u16> = match self.startup {
            Some(Startup::Clear) => Some(0),
            Some(Startup::State) => Some(1),
            Some(Startup::Deactivated) | None => None,
        };
        if let Some(kind) = kind {
            tpm.send("TPM2_Startup", &command(plain, 0x144, &[&kind.to_be_bytes()]))?;
        }
        if self.self_test {
            // A list of one algorithm, SHA-1.
            tpm.send("TPM2_IncrementalSelfTest", &command(plain, 0x142, &[&[0, 0, 0, 1, 0, 4]]))?;
        }
        if self.give_up_presence {
            let mut authorization = Zeroizing::new([0; 20]);
            // The kernel gives so few bytes whole.
            getrandom(&mut *authorization, GetRandomFlags::empty()).map_err(|e| Fault::Data(e.into()))?;
            // TPM_RH_PLATFORM, and an empty password in a session that continues.
            let handle_and_session = [0x4000_000c_u32, 9, 0x4000_0009].map(u32::to_be_bytes);
            let parts: [&[u8]; 4] = [handle_and_session.as_flattened(), &[0, 0, 1, 0, 0], &[0, 20], &*authorization];
            let request = Zeroizing::new(command(sessions, 0x129, &parts));
            tpm.send("TPM2_HierarchyChangeAuth", &request)?;
        }
        Ok(())
    }
}
