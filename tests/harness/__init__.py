"""Building blocks of the tests with real clients and real guests. Python standard library only.

    process   a child process with its output in a log file
    daemon    a TPM daemon started from a command template
    qmp       a QMP client
    agent     runs scripts inside a guest over its second serial port
    guest     the scripts that several tests run there
    machine   a QEMU process: firmware, TPM device, disks
    control   a proxy that notes what QEMU says to a TPM daemon
    disk      disk images
    migration what QEMU spoils in live migrations
    report    results as lines, a table, Markdown and JSON
    runner    the command line of a list of named cases
    tpm       TPM 2.0 commands as bytes
    trace     the system calls of a program

Only processes that were started here are ever ended.
"""
