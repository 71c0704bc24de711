#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the command line accepts and refuses, row by row. There is no server: what was accepted fails for that, with exit
code 1, and what was refused never comes so far, with exit code 2."""
from harness import case, eq, has, main

TRY_HELP = "\n\nFor more information, try '--help'.\n"


def accepts(w, *args):
    r = w.hq(*args, rc=None)
    assert r.rc == 1 and r.err.startswith("Invalid server directory"), f"{args}: exit code {r.rc}\n{r.err}"


def refuses(w, *args, note=""):
    r = w.hq(*args, rc=None)
    assert r.rc == 2 and r.err.startswith("error: "), f"{args}: exit code {r.rc}\n{r.err}"
    has(r.err, note)
    return r.err


def column(w, option, good, bad, command=("submit",), rest=("--", "true")):
    """Rows of one option: values that pass, and values that do not, with what the message must hold."""
    for value in good:
        accepts(w, *command, f"{option}={value}", *rest)
    for value, note in bad.items():
        refuses(w, *command, f"{option}={value}", *rest, note=note)


def picture(option, value, first, at, note):
    lines = [f"error: invalid value '{value}' for '{option}': {first}:", f"  {value}", f"  {' ' * at}|",
             f"  {' ' * at}--- {note}"]
    return "\n".join(lines)


# ---- grammars of values

RANGE, OVERLAP = "--- Invalid range\n", "--- Ranges overlap\n"


@case
def arrays(w):
    bad = {"100-99": RANGE, "1-5:0": RANGE, "1-5:5": RANGE, "3-3:1": RANGE, "5-5:1": RANGE, "0-10,5": OVERLAP,
           "3,3": OVERLAP, "": "(the input was empty)", "-5": "Unexpected token `-`", "a": "Unexpected token `a`",
           "1-": "Unexpected end of input",
           "1,,2": "Unexpected token `,`", "1,": "Unexpected end of input", "_1": "Unexpected token `_`",
           "1;2": "Unexpected token `;`",
           "4294967296": "--- Cannot parse as 4-byte unsigned integer\n", "7:2": "", "all": "", "last": "", "1 2": "",
           "1-2-3": "", "0-4294967296": "--- Cannot parse as 4-byte unsigned integer\n",
           "99999999999999999999": "Cannot parse as 4-byte", "0-4294967295": "--- More than 4294967295 ids\n"}
    column(w, "--array", ["34", "34-40", "101-101", "0-10:2", "2-10:3", "1,3, 5-8", " 4 ", "1-1_000", "0-4:2,1", "1_",
                          "1___0", "0-4294967294"], bad)
    has(refuses(w, "submit", "--array=12-x", "--", "true"),
        picture("--array <ARRAY>", "12-x",
                "Unexpected token found while attempting to parse number, expected something else", 3,
                "Unexpected token `x`") + "\n")


@case
def selectors(w):
    for command in (["job", "info"], ["job", "cancel"], ["job", "forget"], ["job", "close"], ["job", "wait"],
                    ["job", "progress"], ["job", "task-ids"], ["worker", "info"], ["worker", "stop"]):
        for value in ("all", "last", "1", "1,3-5:2", "1_0", " 4 "):
            accepts(w, *command, value)
        for value, note in {"ALL": "Unexpected token `A`", "": "(the input was empty)", "last ": "", "3-1": "Invalid range",
                            "1,1": "Ranges overlap", "lasts": ""}.items():
            has(refuses(w, *command, value, note=note), "for '<SELECTOR>'")
        refuses(w, *command, note="error: the following required arguments were not provided:\n  <SELECTOR>\n")
    for command, rest in ((["job", "cat"], ["stdout"]), (["task", "list"], [])):
        for value in ("last", "1,3-5:2"):
            accepts(w, *command, value, *rest)
        refuses(w, *command, "all", *rest, note="for '<JOB_SELECTOR>'")
    for value in ("last", "7", "4294967295"):
        accepts(w, "task", "info", value, "1")
    for value in ("all", "1-2", "1_0", "4294967296", "", "-"):
        refuses(w, "task", "info", value, "1", note="for '<JOB_SELECTOR>'")
    accepts(w, "task", "info", "1", "1-3,7")
    for value in ("all", "last", ""):
        refuses(w, "task", "info", "1", value, note="for '<TASK_SELECTOR>'")


@case
def durations(w):
    why = "Could not parse PBS walltime. Use either `HH:MM:SS` or humantime format (2hours): "
    good = ["10", "01", "1:1", "80:02", "02:03:04", "1_000", "2h5m10s", "2h 5m 10s", "2 hours 5 minutes 10s", "500ms", "1w",
            "0", "1ns",
            "1nsec", "1nanos", "1us", "1usec", "1µs", "1msec", "1millis", "1sec", "1secs", "1second", "1seconds", "1min",
            "1mins",
            "1minute", "1minutes", "1hr", "1hrs", "1hour", "1d", "1day", "1days", "1wk", "1wks", "1week", "1weeks", "1M",
            "1month", "1months", "1y", "1yr", "1yrs", "1year", "1years"]
    bad = dict.fromkeys(["12:", "12:x", "1:2:3:4", "-5", "1.5h", "5 parsecs", "", "1H", "h", "1h-5m", "4294967296:1:1"],
                        why)
    for command, option, rest in ((["submit"], "--time-limit", ["--", "true"]),
                                  (["submit"], "--time-request", ["--", "true"])):
        column(w, option, good, bad, command, rest)
    has(refuses(w, "submit", "--time-limit=abc", "--", "true"),
        f"'--time-limit <TIME_LIMIT>': {why}NumberExpected(0)\n\nFor more")
    for value in ("x", "", "-1"):
        refuses(w, "server", "start", f"--idle-timeout={value}", note=why)
        refuses(w, "server", "wait", f"--timeout={value}", note=why)
        for option in ("--idle-timeout", "--time-limit", "--heartbeat"):
            refuses(w, "worker", "start", f"{option}={value}", note=why)
    for value in ("x", ""):
        refuses(w, "server", "start", f"--scheduler-time-limit={value}", note=why)
        refuses(w, "worker", "start", f"--retract-check-interval={value}", note=why)
    for value in ("10", "1:00", "x", ""):
        refuses(w, "worker", "start", f"--overview-interval={value}", note="'--overview-interval <OVERVIEW_INTERVAL>'")
    has(refuses(w, "worker", "start", "--overview-interval=10"), "time unit needed, for example 10sec or 10ms")


@case
def amounts(w):
    zero, precision = "--- Zero resources cannot be requested\n", "--- Resource precision exceeded\n"
    good = ["all", "8", "8 compact", "8compact", "8 compact!", "8 tight", "8 tight!", "8 scatter", "0.5", "2.0001",
            "5_000 compact", " 8 ", "0.5 scatter"]
    bad = {"0": zero, "0.0": zero, "1.00001": precision, "ALL": "", "x": "", "1 foo": "", "1.": "", "-1": "", "": "",
           "1 scatter!": "", "8 compact ": "", "all compact": "", "4294967296": "Cannot parse as 4-byte unsigned integer"}
    column(w, "--cpus", good, bad)
    column(w, "--resource", ["gpus/nvidia=1", "a = 3 scatter", "x1=all", "A/b/1=0.5"],
           {"1a=1": "", "a_b=1": "", "a-b=1": "", "=1": "", "a": "", "a=": "", " a=1": "", "": "", "a=0": zero,
            "aa=1.00001": precision})
    has(refuses(w, "submit", "--resource=aa=0", "--", "true"), f"\n  aa=0\n     |\n     {zero}")


@case
def definitions(w):
    """The server directory is looked for last: what is right up to there fails for its lack."""
    good = ["x=2x3", "x=1x4", "x=[[5, 7, 123]]", "x=[ [ 0 ] , [7] , [123 , 200] ]", "  mem  =  [  1  ] ", 'a=["x,y", z]',
            "gpu=range(10-123)", "gpu = range ( 10 - 123 )", "mem=sum(1_000)", "mem=sum(1.5)", "a/b=[a]"]
    bad = {"x=1": "", "x=foo": "", "x=": "", "x=sum": "", "x=sum()": "", "x=range(5)": "",
           "x=[]": "List has to contain at least a single element",
           "x=range(5-3)": "Start must be greater or equal to end", "x=[[1],[]]": "", "1x=[1]": "", "x=[[]]": "", "": "",
           "x": "",
           "x=[1,1]": "List items have to be unique", "x=[[1,1],[2]]": "Group items have to be unique", "x_y=[1]": "",
           "x=[1": ""}
    for value in good:
        r = w.hq("worker", "start", "--cpus=1", "--detect-resources=none", f"--resource={value}", rc=1)
        has(r.err, "Cannot load server directory")
    for value, note in bad.items():
        has(refuses(w, "worker", "start", f"--resource={value}", note=note), "'--resource <RESOURCE>'")
    has(refuses(w, "worker", "start", "--resource=mem=[1,2,1]"),
        picture("--resource <RESOURCE>", "mem=[1,2,1]",
                "Unexpected end of input found while attempting to parse resource kind, expected "
                "something else", 4, "List items have to be unique"))
    for args in (["--min-utilization=0"], ["--min-utilization=0.0"], ["--min-utilization=0.5"], ["--min-utilization=1"], ["--retract-check-interval=10s"], ["--overview-interval=0s"],
                 ["--overview-interval=0"], ["--overview-interval=100ms"], ["--on-server-lost=finish-running"], ["--manager=none"], ["--heartbeat=1m"]):
        has(w.hq("worker", "start", "--cpus=1", "--detect-resources=none", *args, rc=1).err, "Cannot load server directory")
    for value in ("4", "[0, 5, 7]", "2x4", "range(0-3)", "[[0,1],[2,3]]"):
        has(w.hq("worker", "start", "--detect-resources=none", f"--cpus={value}", rc=1).err, "Cannot load server directory")
    for value in ("-1", "abc", "[]", "[1,1]", "", "1x", "4 4", "4294967296"):
        has(refuses(w, "worker", "start", f"--cpus={value}"), "'--cpus <CPUS>'")
    for args, text in ((["--cpus=sum(4)"], "Resource kind `sum` cannot be used with CPUs. CPUs must have identity"),
                       (["--cpus=0"], "Resource kind `sum` cannot be used with CPUs. CPUs must have identity"),
                       (["--cpus=1", "--resource=cpus=[1]"],
                        "Parameters --cpus and --resource cpus=... cannot be combined"),
                       (["--detect-resources=none"],
                        "You have to specify --cpus explicitly when opting out of CPU automatic detection"),
                       (["--detect-resources=mem"],
                        "You have to specify --cpus explicitly when opting out of CPU automatic detection"),
                       (["--cpus=1", "--resource=a=[1]", "--resource=a=[2]"], "Resource a defined twice"),
                       (["--cpus=1", "--resource=a=sum(0)"], "Resource a is empty"),
                       (["--cpus=1", "--resource=a=[[1],[1]]"], "Invalid resource definition for a: "),
                       (["--cpus=1", "--manager=pbs"], "PBS_ENVIRONMENT not found. The process is not running under PBS"),
                       (["--cpus=1", "--manager=slurm"],
                        "SLURM_JOB_ID/SLURM_JOBID not found. The process is not running under SLURM")):
        has(w.hq("worker", "start", *args, rc=1).err, f"\n{text}")
    for value, note in {"x": "x", "cpus, mem": " mem", "all,cpus": "all", "": "", "CPUS": "CPUS"}.items():
        has(refuses(w, "worker", "start", f"--detect-resources={value}"),
            f"error: invalid variant: {note}\n\nUsage: hq worker start [OPTIONS]")


@case
def files_and_variables(w):
    bad = dict.fromkeys(["", ":", "a:", "a:none", "a:rm", "a:b:c", "foo:bar"], "Cannot parse stream: ")
    for option in ("--stdout", "--stderr"):
        column(w, option, ["none", "a/b.txt", "a/b.txt:rm-if-finished", ":rm-if-finished", " a ", "%{TASK_ID}",
                           "/dev/null"], bad)
    has(refuses(w, "submit", "--stdout=foo:bar", "--", "true"),
        "Unexpected token found while attempting to parse rm-if-finished, expected r:\n"
        "  foo:bar\n      |\n      --- Unexpected token `b`\n")
    column(w, "--env", ["K=V", "K", "=x", "K=a=b", "K="], {"": "Environment variable cannot be empty"})


@case
def numbers(w):
    column(w, "--crash-limit", ["1", "65535", "never-restart", "unlimited"], {
        "0": "error: Crash limit cannot be 0. Use `never-restart` or `unlimited` instead.\n",
        "65536": "error: Invalid crash limit: ParseIntError { kind: PosOverflow }",
        "-1": "error: Invalid crash limit: ParseIntError { kind: InvalidDigit }",
        "never": "kind: InvalidDigit", "": "kind: Empty"})
    column(w, "--priority", ["-2147483648", "2147483647", "0", "+5"], {
        "x": "invalid value 'x' for '--priority <PRIORITY>': invalid digit found in string",
        "2147483648": ": 2147483648 is not in -2147483648..=2147483647",
        "": "", "1_0": "invalid digit found in string", "1.0": "invalid digit found in string"})
    has(refuses(w, "submit", "--priority", "-1", "--", "true"), "error: unexpected argument '-1' found")
    for option in ("--max-fails", "--job"):
        column(w, option, ["0", "4294967295"], {"-1": ": -1 is not in 0..=4294967295",
                                                "4294967296": ": 4294967296 is not in 0..=4294967295",
                                                "x": "invalid digit found in string", "": ""})
    for option in ("--client-port", "--worker-port"):
        for value, note in {"70000": ": 70000 is not in 0..=65535", "x": ": invalid digit found in string", "-1": "",
                            "1_0": ""}.items():
            refuses(w, "server", "start", f"{option}={value}", note=note)
    for value, note in {"-0.1": "Minimal utilization has to be in the interval [0.0, 1.0].", "1.1": "has to be in the interval",
                        "nan": "has to be in the interval", "x": ": invalid float literal", "": ": invalid float literal",
                        "0.5 ": ": invalid float literal"}.items():
        has(refuses(w, "worker", "start", f"--min-utilization={value}", note=note), "'--min-utilization <MIN_UTILIZATION>'")
    for command in (["worker", "wait"], ["worker", "address"]):
        accepts(w, *command, "0")
        for value in ("x", "4294967296", ""):
            refuses(w, *command, value)
    column(w, "--reason", ["r" * 200, ""], {"r" * 201: "Cancel reason must be shorter than 200 you entered 201.",
                                            "é" * 101: "you entered 202."},
           ["job", "cancel", "1"], [])


@case
def words(w):
    """Values out of a list: they are case-sensitive, lists take commas and repetition."""
    lists = (
        (["submit"], "--pin", ["taskset", "omp"], ["--", "true"]),
        (["job", "list"], "--filter", ["waiting", "running", "finished", "failed", "canceled", "aborted", "opened",
                                       "failed,canceled"], []),
        (["worker", "list"], "--filter", ["running", "offline"], []),
        (["job", "forget", "1"], "--filter", ["finished", "failed", "aborted", "canceled", "failed,aborted"], []),
        (["job", "task-ids", "1"], "--filter", ["waiting", "failed,waiting"], []),
        (["job", "cat", "1", "stdout"], "--task-status", ["failed", "finished,failed"], []),
        (["task", "list", "1"], "--task-status", ["failed", "running,failed"], []),
        (["job", "list"], "--output-mode", ["cli", "quiet"], []),
        (["job", "list"], "--colors", ["auto", "always", "never"], []))
    for command, option, good, rest in lists:
        column(w, option, good, {"nonsense": "[possible values: ", "FAILED": "[possible values: ", ",": "",
                                 good[0] + ",": ""}, command, rest)
        has(refuses(w, *command, option), f"error: a value is required for '{option} <",
            "' but none was supplied\n  [possible values: ")
    for command, option in ((["job", "list"], "--filter"), (["task", "list", "1"], "--task-status"),
                            (["job", "task-ids", "1"], "--filter")):
        accepts(w, *command, f"{option}=failed", f"{option}=running,waiting")
    refuses(w, "job", "forget", "1", "--filter=waiting", note="[possible values: finished, failed, aborted, canceled]")
    for value in ("stdout", "stderr"):
        accepts(w, "job", "cat", "1", value)
    for option, value in (("--manager", "foo"), ("--on-server-lost", "foo")):
        refuses(w, "worker", "start", f"{option}={value}", note=f"invalid value '{value}' for '{option} <")
    eq(refuses(w, "job", "list", "--filter=finish"),
       "error: invalid value 'finish' for '--filter <FILTER>'\n  [possible values: waiting, running, finished, "
       "failed, canceled, aborted, opened]\n\n  tip: a similar value exists: 'finished'" + TRY_HELP)


# ---- the parser

@case
def messages(w):
    """The kinds of errors, whole."""
    usage = "\n\nUsage: hq submit [OPTIONS] <COMMANDS>..." + TRY_HELP
    w.env["HQ_SERVER_DIR"] = None
    for args, expected in (
            (["submit", "--foo", "--", "x"],
             "unexpected argument '--foo' found\n\n  tip: to pass '--foo' as a value, use '-- --foo'" + usage),
            (["submit", "-x", "--", "x"],
             "unexpected argument '-x' found\n\n  tip: to pass '-x' as a value, use '-- -x'" + usage),
            (["submit", "--arry=1", "--", "x"],
             "unexpected argument '--arry' found\n\n  tip: a similar argument exists: '--array'\n\n"
             "Usage: hq submit --array <ARRAY> <COMMANDS>..." + TRY_HELP),
            (["job", "lst"],
             "unrecognized subcommand 'lst'\n\n  tip: a similar subcommand exists: 'list'\n\n"
             "Usage: hq job [OPTIONS] <COMMAND>" + TRY_HELP),
            (["submit"], "the following required arguments were not provided:\n  <COMMANDS>...\n\n"
             "Usage: hq submit <COMMANDS>..." + TRY_HELP),
            (["server", "generate-access"],
             "the following required arguments were not provided:\n  --client-port <CLIENT_PORT>\n"
             "  --worker-port <WORKER_PORT>\n  <ACCESS_FILE>\n\nUsage: hq server generate-access "
             "--client-port <CLIENT_PORT> --worker-port <WORKER_PORT> <ACCESS_FILE>" + TRY_HELP),
            (["submit", "--name"], "a value is required for '--name <NAME>' but none was supplied" + TRY_HELP),
            (["submit", "--wait=x", "y"], "unexpected value 'x' for '--wait' found; no more were expected" + usage),
            (["submit", "--name=a", "--name=b", "x"], "the argument '--name <NAME>' cannot be used multiple times" + usage),
            (["submit", "--wait", "--wait", "x"], "the argument '--wait' cannot be used multiple times" + usage),
            (["submit", "--wait", "--progress", "x"],
             "the argument '--wait' cannot be used with '--progress'\n\nUsage: hq submit --wait <COMMANDS>..." + TRY_HELP),
            (["job", "list", "--all", "--filter=failed"],
             "the argument '--all' cannot be used with '--filter <FILTER>'\n\nUsage: hq job list --all" + TRY_HELP),
            (["worker", "list", "--all", "--filter=running"],
             "the argument '--all' cannot be used with '--filter <FILTER>'\n\nUsage: hq worker list --all" + TRY_HELP),
            (["job", "list", "x"], "unexpected argument 'x' found\n\nUsage: hq job list [OPTIONS]" + TRY_HELP),
            (["--server-dir=", "job", "list"],
             "a value is required for '--server-dir <SERVER_DIR>' but none was supplied" + TRY_HELP)):
        r = w.hq(*args, rc=2)
        eq((r.out, r.err), ("", "error: " + expected), args)
        eq(w.hq("--output-mode=json", *args, rc=2).out, "", args)


@case
def global_options(w):
    for args in (["--output-mode=quiet", "job", "list"], ["job", "--output-mode=quiet", "list"],
                 ["job", "list", "--output-mode=quiet"],
                 ["job", "list", "--debug"], ["--debug", "job", "list"], ["job", "--colors=never", "list"],
                 ["submit", "--debug", "x"]):
        accepts(w, *args)
    for value in ("true", "false"):
        w.hq("job", "list", env={"HQ_DEBUG": value}, rc=1)
    for name, value in (("HQ_DEBUG", "1"), ("HQ_DEBUG", "yes"), ("HQ_OUTPUT_MODE", "xml"), ("HQ_OUTPUT_MODE", "JSON")):
        r = w.hq("job", "list", env={name: value}, rc=2)
        has(r.err, f"error: invalid value '{value}' for '--", "[possible values: ")
    r = w.hq("job", "list", "--output-mode=cli", env={"HQ_OUTPUT_MODE": "json"}, rc=1)
    eq(r.out, "", "the command line wins over the environment")
    has(w.hq("job", "list", env={"HQ_OUTPUT_MODE": "json"}, rc=1).out, '"error"')
    refuses(w, "job", "list", "--debug", "--debug", note="the argument '--debug' cannot be used multiple times")


@case
def default_server_directory(w):
    for env, home in (({}, w.home), ({"HOME": ""}, w.tmp), ({"HOME": None}, w.tmp)):
        has(w.hq("job", "list", env={"HQ_SERVER_DIR": None, **env}, rc=1).err, f'Error: "{home}/.hq-server" is not a directory')


@case
def what_follows_the_command(w):
    """Words behind the program are its own, whatever they look like."""
    for args in (["ls", "-l", "--foo"], ["--", "ls", "--", "--wait"], ["--", "-x"], ["ls", "--wait", "--wait"],
                 ["ls", "--help"]):
        accepts(w, "submit", *args)
    refuses(w, "submit", "-l", "ls", note="unexpected argument '-l' found")


@case
def what_does_not_exist(w):
    for args in (["job", "timeline"], ["progress"], ["wait"], ["jobs"], ["cancel"], ["log"], ["event-log"], ["help"],
                 ["job", "resubmit"]):
        has(refuses(w, *args), f"error: unrecognized subcommand '{args[-1]}'")
    for args in (["worker", "start", "--no-detect-resources"], ["server", "start", "--event-log-path=x"],
                 ["submit", "--log=x", "y"],
                 ["job", "forget", "1", "--status=failed"], ["submit", "--no-wait", "x"], ["job", "list", "-v"],
                 ["task", "list", "1", "--verbose"],
                 ["submit", "-n", "x", "y"], ["job", "list", "--outpu=cli"], ["submit", "--arr=1", "x"]):
        option = next(a for a in args if a.startswith("-")).split("=")[0]
        has(refuses(w, *args), f"error: unexpected argument '{option}' found")
    has(refuses(w, "submit", "--pin", "--", "x"),
        "error: a value is required for '--pin <PIN>' but none was supplied\n  [possible values: taskset, omp]")


@case
def groups_without_a_command(w):
    w.env["HQ_SERVER_DIR"] = None
    for group in ([], ["server"], ["job"], ["task"], ["worker"]):
        r = w.hq(*group, rc=2)
        eq((r.out, r.err), ("", w.hq(*group, "-h").out), group)
        r = w.hq(*group, "--debug", rc=2)
        name = " ".join(["hq", *group])
        has(r.err, f"error: '{name}' requires a subcommand but one was not provided\n  [subcommands: ",
            f"\n\nUsage: {name} [OPTIONS] <COMMAND>" + TRY_HELP)


@case
def without_a_server(w):
    """Every command that asks one says so, in every mode."""
    for args in (["server", "stop"], ["server", "info"], ["server", "debug-dump", "x"], ["worker", "stop", "1"],
                 ["worker", "list"], ["worker", "info", "1"],
                 ["worker", "address", "1"], ["worker", "wait", "1"], ["submit", "x"], ["job", "submit", "x"],
                 ["job", "list"], ["job", "summary"],
                 ["job", "info", "1"], ["job", "cancel", "1"], ["job", "forget", "1"], ["job", "cat", "1", "stdout"],
                 ["job", "wait", "1"],
                 ["job", "progress", "1"], ["job", "task-ids", "1"], ["job", "open"], ["job", "close", "1"],
                 ["task", "list", "1"], ["task", "info", "1", "1"]):
        accepts(w, *args)
        r = w.hq("--output-mode=json", *args, rc=1)
        eq((list(r.json()), r.err), (["error"], ""), args)
        has(w.hq("--output-mode=quiet", *args, rc=1).err, "Invalid server directory\n\nCaused by:\n")


@case
def exit_codes(w):
    w.server()
    w.worker()
    for code, commands in ((2, (["job", "list", "--filter", "foo"], ["submit"], ["worker", "wait", "x"])),
                           (0, (["job", "info", "999"], ["job", "cancel", "999"], ["worker", "stop", "999"],
                                ["job", "wait", "999"], ["task", "list", "999"],
                                ["job", "close", "999"], ["job", "forget", "999"], ["job", "cat", "999", "stdout"],
                                ["job", "progress", "999"],
                                ["task", "info", "999", "0"], ["worker", "info", "999"], ["submit", "--wait", "false"],
                                ["job", "wait", "1"], ["worker", "wait", "0"])),
                           (1, (["job", "task-ids", "999"], ["worker", "address", "999"], ["submit", "--job", "999", "x"],
                                ["--output-mode=json", "job", "cat", "1", "stdout"]))):
        for args in commands:
            w.hq(*args, rc=code)


main()
