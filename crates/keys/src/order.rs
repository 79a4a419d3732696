//! The order to shred a VM's keys as it lies beside the state: lines of text, so that people can read it too.
//!
//! Its last line is a digest, which finds damage. The line before is a code under the state's data key, where the order was
//! given by somebody who had it: then nobody without the key can forge, change or bring forward an order.

use sealwright_state::backend::MAX_ORDER;
use sealwright_state::{Digest, KeyId, VmId};

use crate::address::decode_bytes;
use crate::life::{KeyOf, Phase, Shredding};

const FIRST: &str = "sealwright-shred 1";

/// An order, and who can vouch for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What is ordered, and how far it is.
    pub shredding: Shredding,
    /// The code under the state's data key; `None` if it was given without the key.
    pub code: Option<[u8; 32]>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    (text.len() == 64 && text.bytes().all(|c| c.is_ascii_hexdigit())).then_some(())?;
    for (byte, digits) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(out)
}

/// Text on one line: control characters and % as %xx.
fn on_a_line(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_control() || c == '%' {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| out.push_str(&format!("%{byte:02x}")));
        } else {
            out.push(c);
        }
    }
    out
}

fn off_a_line(text: &str) -> Option<String> {
    String::from_utf8(decode_bytes(text)?).ok()
}

impl Order {
    /// What the code is over: everything that is ordered, and the keys that it is about, but not how far it is.
    pub fn authenticated(shredding: &Shredding) -> Vec<u8> {
        let mut keys: Vec<&KeyOf> = shredding.keys.iter().chain(&shredding.shared).collect();
        keys.sort_by(|a, b| (&a.manager, &a.key).cmp(&(&b.manager, &b.key)));
        let mut text = head(shredding);
        for key in keys {
            text.push_str(&line("key", key));
        }
        text.into_bytes()
    }

    /// The stored form; `None` if the reason is too long for it.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut text = head(&self.shredding);
        text.push_str(match self.shredding.phase {
            Phase::Scheduled => "phase scheduled\n",
            Phase::Cancelled => "phase cancelled\n",
            Phase::Done => "phase done\n",
        });
        self.shredding.keys.iter().for_each(|key| text.push_str(&line("key", key)));
        self.shredding.shared.iter().for_each(|key| text.push_str(&line("shared", key)));
        text.push_str(&format!("code {}\n", self.code.map_or_else(|| "none".to_owned(), |code| hex(&code))));
        text.push_str(&format!("sha256 {}\n", hex(&Digest::of(&[text.as_bytes()]).0)));
        Some(text.into_bytes()).filter(|bytes| bytes.len() <= MAX_ORDER)
    }

    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(bytes).ok()?;
        let (body, last) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        let sum = last.strip_prefix("sha256 ").and_then(unhex)?;
        (Digest::of(&[body.as_bytes(), b"\n"]).0 == sum).then_some(())?;
        let mut lines = body.lines();
        (lines.next()? == FIRST).then_some(())?;
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let vm = VmId::new(off_a_line(field("vm")?)?).ok()?;
        let (ordered, due) = (field("ordered")?.parse().ok()?, field("due")?.parse().ok()?);
        let reason = off_a_line(field("reason")?)?;
        let phase = match field("phase")? {
            "scheduled" => Phase::Scheduled,
            "cancelled" => Phase::Cancelled,
            "done" => Phase::Done,
            _ => return None,
        };
        let (mut keys, mut shared, mut code) = (Vec::new(), Vec::new(), None);
        for line in lines {
            let (name, rest) = line.split_once(' ')?;
            // The code is the last one.
            code.is_none().then_some(())?;
            let key = || {
                let (manager, key) = rest.split_once(' ')?;
                Some(KeyOf { manager: off_a_line(manager)?, key: KeyId::new(off_a_line(key)?)? })
            };
            match name {
                "key" => keys.push(key()?),
                "shared" => shared.push(key()?),
                "code" if rest == "none" => code = Some(None),
                "code" => code = Some(Some(unhex(rest)?)),
                _ => return None,
            }
        }
        Some(Self { shredding: Shredding { vm, reason, ordered, due, phase, keys, shared }, code: code? })
    }

    /// Whether the state that this order lies beside may be opened; the words say why not.
    pub fn permits(bytes: &[u8]) -> Result<(), String> {
        let order = Self::decode(bytes).ok_or(
            "an order to shred its keys was left beside it, which cannot be read: it was cut off, or damaged. Take it back \
             (vtpmd state shred --cancel), and order it again if it was meant",
        )?;
        order.shredding.permits_use().map_err(|fault| fault.to_string())
    }
}

fn head(shredding: &Shredding) -> String {
    let Shredding { vm, ordered, due, reason, .. } = shredding;
    format!("{FIRST}\nvm {}\nordered {ordered}\ndue {due}\nreason {}\n", on_a_line(vm.as_str()), on_a_line(reason))
}

fn line(name: &str, key: &KeyOf) -> String {
    format!("{name} {} {}\n", on_a_line(&key.manager), on_a_line(key.key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(phase: Phase) -> Order {
        let key = |manager: &str, key: &str| KeyOf { manager: manager.to_owned(), key: KeyId::new(key).unwrap() };
        let shredding = Shredding {
            vm: VmId::new("web 1%").unwrap(),
            reason: "deleted\nby its owner, 100%".to_owned(),
            ordered: 1000,
            due: 4600,
            phase,
            keys: vec![key("vault", "transit/vm-web 1")],
            shared: vec![key("file", "/etc/master key")],
        };
        Order { shredding, code: Some([0xAB; 32]) }
    }

    #[test]
    fn comes_back_and_every_change_is_found() {
        for phase in [Phase::Scheduled, Phase::Cancelled, Phase::Done] {
            let bytes = order(phase).encode().unwrap();
            assert_eq!(Order::decode(&bytes), Some(order(phase)));
            for at in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[at] ^= 1;
                assert_eq!(Order::decode(&bad), None, "byte {at}");
                assert_eq!(Order::decode(&bytes[..at]), None, "cut at {at}");
            }
        }
        let plain = Order { code: None, ..order(Phase::Scheduled) };
        assert_eq!(Order::decode(&plain.encode().unwrap()), Some(plain));
        let mut long = order(Phase::Scheduled);
        long.shredding.reason = "x".repeat(MAX_ORDER);
        assert_eq!(long.encode(), None);
    }

    #[test]
    fn what_is_authenticated_stays_the_same_while_it_is_carried_out() {
        let before = order(Phase::Scheduled);
        let mut after = before.clone();
        let key = after.shredding.keys.pop().unwrap();
        after.shredding.shared.push(key);
        after.shredding.phase = Phase::Done;
        assert_eq!(Order::authenticated(&before.shredding), Order::authenticated(&after.shredding));
        after.shredding.due -= 1;
        assert_ne!(Order::authenticated(&before.shredding), Order::authenticated(&after.shredding));
    }

    #[test]
    fn an_order_permits_nothing_until_it_is_cancelled() {
        let permits = |phase| Order::permits(&order(phase).encode().unwrap());
        assert!(permits(Phase::Scheduled).unwrap_err().contains("1970-01-01T01:16:40Z"));
        assert!(permits(Phase::Done).unwrap_err().contains("destroyed already"));
        permits(Phase::Cancelled).unwrap();
        assert!(Order::permits(b"").unwrap_err().contains("--cancel"));
    }
}
