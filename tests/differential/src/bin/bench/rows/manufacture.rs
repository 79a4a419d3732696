//! Making a TPM as libvirt has it made: two endorsement keys, three certificates.

use super::*;
use crate::measure::micros;
use std::path::Path;
use std::process::{Command, Stdio};

/// Clock ticks of `/proc/PID/stat` are hundredths of a second to user space on every Linux (`USER_HZ`).
const TICK: f64 = 10_000.0;

/// Processor time in microseconds of all children of this process that have ended, and of theirs, to a tick.
fn cpu_of_children() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which is in brackets and may have spaces: cutime and cstime are fields 16 and 17.
    let after = text.rsplit(')').next().unwrap_or_default();
    after.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() * TICK
}

/// Where a program is: as it is said, or on the path.
fn find(program: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = if program.contains('/') { vec![PathBuf::new()] } else { std::env::split_paths(&path).collect() };
    let found = folders.iter().map(|folder| folder.join(program)).find(|path| path.is_file());
    found.ok_or_else(|| format!("{program} is not there"))
}

/// The configuration of one side, with a CA of its own.
fn configure(folder: &Path, setup: &Path) -> Result<PathBuf, String> {
    let failed = |e: std::io::Error| e.to_string();
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).map(|()| path).map_err(failed)
    };
    // swtpm's tool is beside its swtpm_setup. Ours is one program with several names; its packages make the links.
    let beside = setup.with_file_name("swtpm_localca");
    let tool = if setup.with_file_name("vtpmd").exists() {
        let link = folder.join("swtpm_localca");
        std::os::unix::fs::symlink(setup, &link).map_err(failed)?;
        link
    } else {
        beside
    };
    let ca = folder.join("ca");
    std::fs::create_dir(&ca).map_err(failed)?;
    let ca = ca.display();
    let settings = write(
        "ca.conf",
        format!("statedir={ca}\nsigningkey={ca}/key.pem\nissuercert={ca}/issuer.pem\ncertserial={ca}/serial\n"),
    )?;
    let options = write(
        "ca.options",
        "--platform-manufacturer Example\n--platform-version 2.1\n--platform-model QEMU\n".to_owned(),
    )?;
    write(
        "setup.conf",
        format!(
            "create_certs_tool={}\ncreate_certs_tool_config={}\ncreate_certs_tool_options={}\n",
            tool.display(),
            settings.display(),
            options.display()
        ),
    )
}

/// Makes one TPM in a fresh folder.
fn make(setup: &Path, folder: &Path, configuration: &Path) -> Result<Sample, String> {
    let state = new_folder().map(Folder).map_err(|e| e.to_string())?;
    let log = folder.join("log");
    let mut command = Command::new(setup);
    command.arg("--tpm2").arg("--tpm-state").arg(&state.0).arg("--config").arg(configuration);
    command.args(["--vmid", "bench", "--createek", "--create-ek-cert", "--create-platform-cert", "--lock-nvram"]);
    command.arg("--logfile").arg(&log).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (before, begin) = (cpu_of_children(), Instant::now());
    let status = command.status().map_err(|e| format!("{}: {e}", setup.display()))?;
    let time = begin.elapsed();
    let cpu = cpu_of_children() - before;
    if !status.success() {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        return Err(format!("swtpm_setup failed: {}", said.lines().last().unwrap_or("it said nothing")));
    }
    Ok(Sample { value: micros(time), cpu })
}

/// RSA-2048 and P-384 endorsement keys, their certificates and that of the platform. The first run, which is not counted,
/// makes the CA.
fn manufacture(side: &Side) -> Result<Whatever, String> {
    let setup = find(side.setup.as_ref().ok_or("-")?)?;
    let folder = new_folder().map(Folder).map_err(|e| e.to_string())?;
    let configuration = configure(&folder.0, &setup)?;
    make(&setup, &folder.0, &configuration)?;
    Ok(Box::new(move |_| make(&setup, &folder.0, &configuration)))
}

pub(super) const ROWS: &[Row] =
    &[whole("swtpm_setup: RSA-2048 and P-384 EK, three certificates", 15, manufacture).aim(0.08)];
