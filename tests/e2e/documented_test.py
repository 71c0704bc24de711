#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Help, completions and manual pages tell of every command and option. They are made from one table; what it holds is
read here from the long helps, from `hq --help` downwards.

Usage: documented_test.py HQ MAN_DIR [CASE...]"""
import pathlib, re, shlex, shutil, subprocess, sys

MAN = pathlib.Path(sys.argv.pop(2))

from harness import HQ, Skip, case, eq, has, main, text

NAME = re.compile(r"^  +(?:-\w, )?(-\w|--[\w-]+)(?: <\w+>)?$|^  +<(\w+)>(?:\.\.\.)?$")


class Command:
    def __init__(self, w, path):
        self.path, self.help, self.short = path, w.hq(*path, "--help").out, w.hq(*path, "-h").out
        self.sections = dict(re.findall(r"^([\w ]+):\n((?:.+\n|\n(?= ))*)", self.help, re.M))
        self.subs = re.findall(r"^  ([\w-]+) ", self.sections.get("Commands", ""), re.M)
        self.options = self.names("Options") - {"--help", "--version"}
        self.globals = self.names("GLOBAL OPTIONS")
        self.words = {m[2] for m in map(NAME.match, self.sections.get("Arguments", "").splitlines()) if m}
        self.choices = re.findall(r"\[possible values: (.*)\]", self.sections.get("Arguments", ""))

    def names(self, section):
        return {m[1] for m in map(NAME.match, self.sections.get(section, "").splitlines()) if m}

    def expected(self):
        """What is offered behind the command."""
        return {*self.subs, *self.options, *self.globals, "--help", *(v for c in self.choices for v in c.split(", "))}


def commands(w, path=()):
    c = Command(w, path)
    yield c
    for sub in c.subs:
        yield from commands(w, (*path, sub))


def shell(w, argv, script):
    if not shutil.which(argv[0]):
        raise Skip(f"{argv[0]} is not installed")
    done = subprocess.run([*argv, script], env=w.environ(None), cwd=w.work, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    eq((done.returncode, text(done.stderr)), (0, ""), script)
    return text(done.stdout)


# ---- help

@case
def help_is_complete(w):
    seen = {}
    for c in commands(w):
        name = " ".join(["hq", *c.path])
        has(c.help, f"\nUsage: {name}", "GLOBAL OPTIONS:\n")
        assert "GLOBAL OPTIONS" not in c.short and len(c.short) < len(c.help), name
        eq(c.globals, {"--server-dir", "--colors", "--output-mode", "--debug"}, name)
        for section in ("Options", "Arguments", "GLOBAL OPTIONS"):
            lines = c.sections.get(section, "").splitlines()
            for i, line in enumerate(lines):
                if NAME.match(line):
                    assert re.match(r" {10}\S", lines[i + 1]), f"{name}: no help for {line}"
        for option in c.options:
            assert re.search(rf"^ .*{option}(?!\S).* {{2}}\S", c.short, re.M), f"{name} -h: no help for {option}"
        for sub in c.subs:
            assert re.search(rf"^  {sub} +\S", c.help, re.M), f"{name}: no help for {sub}"
        too_wide = [line for line in c.help.splitlines() if len(line) > 110 and not line.startswith("Usage: ")]
        eq(too_wide, [], f"{name} --help")
        seen[name] = c
    has(" ".join(seen), "hq server debug-dump", "hq job submit", "hq worker start", "hq task info")
    eq(seen["hq submit"].expected(), seen["hq job submit"].expected())


# ---- completions

@case
def bash(w):
    (w.work / "hq.bash").write_bytes(w.hq("generate-completion", "bash").raw)

    def offers(*words):
        line = " ".join(map(shlex.quote, words))
        return shell(w, ["bash", "-c"], f'. ./hq.bash; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _hq; '
                     'printf "%s\\n" "${COMPREPLY[@]}"').split()
    for c in commands(w):
        eq(set(offers("hq", *c.path, "")), c.expected(), c.path)
    eq(offers("hq", "job", "li"), ["list"])
    eq(offers("hq", "--output-mode", "json", "job", "li"), ["list"])
    eq(offers("hq", "job", "list", "--filter", "fi"), ["finished"])
    eq(offers("hq", "job", "list", "--filter", "=", "fi"), ["finished"])
    eq(set(offers("hq", "job", "list", "--colors", "=")), {"auto", "always", "never"})
    (w.work / "some file").touch()
    (w.work / "somewhere").touch()
    eq(set(offers("hq", "submit", "--each-line", "somew")), {"somewhere"})
    eq(offers("hq", "submit", "--name", ""), [])


@case
def zsh(w):
    """The script in a shell whose completion system only prints what it is given."""
    (w.work / "_hq").write_bytes(w.hq("generate-completion", "zsh").raw)

    def offers(*words):
        line = " ".join(map(shlex.quote, words))
        out = shell(w, ["zsh", "-f", "-c"],
                    "compdef() {}; compset() {}; _files() { print FILES }; compadd() { shift; print -l -- $@ }\n"
                    f"_describe() {{ print -l -- ${{(P)2}} }}\n. ./_hq\nwords=({line}); CURRENT={len(words)}; _hq")
        return [re.split(r"(?<!\\):", item)[0] for item in out.splitlines()]
    for c in commands(w):
        eq(set(offers("hq", *c.path, "")), c.expected(), c.path)
    eq(set(offers("hq", "job", "list", "--colors", "")), {"auto", "always", "never"})
    eq(set(offers("hq", "job", "list", "--colors=")), {"auto", "always", "never"})
    eq(offers("hq", "submit", "--each-line", ""), ["FILES"])
    eq(offers("hq", "submit", "--name", ""), [])


@case
def fish(w):
    (w.work / "hq.fish").write_bytes(w.hq("generate-completion", "fish").raw)

    def offers(line):
        return [item.split("\t")[0] for item in
                shell(w, ["fish", "--no-config", "-c"], f"source hq.fish; complete -C '{line}'").splitlines()]
    for c in commands(w):
        name = " ".join(["hq", *c.path])
        options = {o for o in offers(f"{name} -") if not o.startswith("--no-config")}
        eq({o for o in options if o != "--help"}, {o for o in c.expected() if o.startswith("-")} - {"--help"}, name)
        words = {o for o in c.expected() if not o.startswith("-")}
        assert words <= set(offers(f"{name} ")), f"{name}: {words} not in {offers(name + ' ')}"
    assert "finished" in offers("hq job list --filter fi")
    assert "--filter=finished" in offers("hq job list --filter=fi")


# ---- manual

def plain(page):
    """The words of a page as a reader finds them in its source."""
    return page.replace("\\-", "-").replace("\\e", "\\").replace("\\&", "")


@case
def manual(w):
    """A page for each command of the first level, which tells of those below it."""
    top, *rest = commands(w)
    pages = {path.stem: plain(path.read_text()) for path in MAN.glob("hq*.1")}
    eq(set(pages), {"hq", *(f"hq-{sub}" for sub in top.subs)})
    for c in rest:
        page = pages[f"hq-{c.path[0]}"]
        has(page, f".B {' '.join(['hq', *c.path])}\n", *(f"--{name[2:]}" if len(name) > 2 else name for name in c.options),
            *c.globals, *c.words)
    for sub in top.subs:
        has(pages["hq"], f"hq-{sub}")
    for page in pages.values():
        has(page, ".SH NAME\n", ".SH SYNOPSIS\n", ".SH DESCRIPTION\n", ".SH EXIT STATUS\n", ".SH SEE ALSO\n")


@case
def manual_is_clean(w):
    if not shutil.which("groff"):
        raise Skip("groff is not installed")
    for page in sorted(MAN.glob("hq*.1")):
        done = subprocess.run(["groff", "-man", "-ww", "-rF0", "-Tutf8", "-z", page], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        eq((done.returncode, text(done.stdout)), (0, ""), page.name)


main()
