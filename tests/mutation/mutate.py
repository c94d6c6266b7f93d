#!/usr/bin/env python3
"""Does a test notice each small mistake in the lifecycle?

tests/mutation/mutate.py [-j N] [--only TEXT] [--again LOG] [FILE...]

Each mutant is one of the pure modules with one small change, linked into
the unit tests concerned; it is killed when one of them fails.  Prints every
mutant with its line.  Fails below 95 %, and on a survivor that
survivors.txt does not explain, and on an explanation without a survivor.
With --again, what an earlier output says was killed counts as killed.
"""
import argparse
import concurrent.futures
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build-mutation")
FILES = [f"daemon/lifecycle/{name}.c" for name in (
    "state", "rules", "changes", "operator_order", "plan")]
# The quickest first, for most mutants die early; and what each may take, in
# seconds of the processor: some mutants never end.
TESTS = {"test_orders": 1, "test_simulation": 3, "test_decision": 6,
         "test_lifecycle": 6}
PATIENCE = 600      # seconds, on a busy machine
EXPLAINED = os.path.join(ROOT, "tests/mutation/survivors.txt")
AIM = 0.95
CFLAGS = ["-std=c11", "-O0", "-I.", "-D_GNU_SOURCE",
          "-Dmutant_min(a,b)=((a)<(b)?(a):(b))"]
ENVIRONMENT = dict(os.environ, JWKSD_SEED="1", JWKSD_ROUNDS="60",
                   JWKSD_WEAK_ROUNDS="0", CMOCKA_TEST_ABORT="1")

SWAPS = [
    (r" < ", [" <= ", " > "]),
    (r" <= ", [" < ", " > "]),
    (r" > ", [" >= ", " < "]),
    (r" >= ", [" > ", " < "]),
    (r" == ", [" != "]),
    (r" != ", [" == "]),
    (r" && ", [" || "]),
    (r" \|\| ", [" && "]),
    (r" \+ ", [" - "]),
    (r" - ", [" + "]),
    (r" \+= ", [" -= "]),
    (r" -= ", [" += "]),
    (r"\+\+", ["--"]),
    (r"--", ["++"]),
    (r"\bjw_max64\(", ["mutant_min("]),
    (r"(?<=\()!(?=[a-z])", [""]),
    (r"(?<= )!(?=[a-z])", [""]),
    (r"\btrue\b", ["false"]),
    (r"\bfalse\b", ["true"]),
    (r"\bLC_NEVER\b", ["0"]),
]


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def code_of(text):
    """The text without comments, strings and directives, place for place."""
    text = re.sub(r"/\*.*?\*/", blank, text, flags=re.S)
    text = re.sub(r'"(\\.|[^"\\])*"', blank, text)
    return re.sub(r"^#.*$", blank, text, flags=re.M)


def closing(code, at):
    """The place behind the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] in "([{") - (code[i] in ")]}")
        if depth == 0:
            return i + 1
    return None


def end_of_term(code, at):
    """Where a term that begins at `at` ends: at an operator of its level."""
    depth = 0
    for i in range(at, len(code)):
        if code[i] in "([{":
            depth += 1
        elif code[i] in ")]}":
            if depth == 0:
                return i
            depth -= 1
        elif depth == 0 and (code[i] in ",;?:" or re.match(
                r"\s(\+|-|&&|\|\||[<>=!]=?)\s", code[i:i + 4])):
            return i
    return None


def functions(code):
    """Spans of function bodies."""
    for match in re.finditer(r"^\{", code, re.M):
        yield match.start(), closing(code, match.start())


def swaps(code, start, end):
    for pattern, others in SWAPS:
        for match in re.finditer(pattern, code[start:end]):
            for other in others:
                yield start + match.start(), start + match.end(), other


def numbers(code, start, end):
    for match in re.finditer(r"(?<![\w.])\d+(?![\w.])", code[start:end]):
        for step in (1, -1):
            yield (start + match.start(), start + match.end(),
                   f"({int(match.group(0))} + {step})")


def dropped_terms(code, start, end):
    for match in re.finditer(r"\s(\+|-|&&|\|\|)\s+", code[start:end]):
        stop = end_of_term(code, start + match.end())
        yield start + match.start(), stop, ""


def negations(code, start, end):
    for match in re.finditer(r"\b(if|while) \(", code[start:end]):
        at = start + match.end() - 1
        yield at, at, "(!", closing(code, at), ")"


def deleted_statements(code, start, end):
    """Assignments, calls, and steps that are statements of their own."""
    pattern = r"(?:(?<=[;{})])|(?<=else))\s+((?!return|goto|break|continue" \
        r"|else|if|for|while|const|struct|enum|int|size_t|bool|\(void\))" \
        r"[a-z*(][^;{}=]*?(\s[-+]?=\s[^;]*|\+\+|--|\))\s*;)"
    declared = re.compile(r"^(u?int\d+_t|char|static|enum|struct)\b")
    for match in re.finditer(pattern, code[start:end]):
        statement = match.group(1)
        if not declared.match(statement):
            yield start + match.start(1), start + match.end(1), ";"


class Mutant:
    def __init__(self, path, text, place):
        begin, finish, new = place[:3]
        self.path = path
        body = text[:begin] + new
        if len(place) == 5:
            body += text[begin:place[3]] + place[4] + text[place[3]:]
            finish = place[3]
        else:
            body += text[finish:]
        self.text = body
        self.line = text.count("\n", 0, begin) + 1
        if text[begin:begin + 1] == "\n":
            self.line += 1
        old = " ".join(text[begin:finish].split())
        context = " ".join(text.split("\n")[self.line - 1].split())
        name = " ".join((f"!({old})" if len(place) == 5 else new).split())
        self.name = f"{path}: {context} | {old} -> {name or 'nothing'}"


def mutants_of(path):
    with open(os.path.join(ROOT, path)) as f:
        text = f.read()
    code = code_of(text)
    seen = set()
    for start, end in functions(code):
        for kind in (swaps, numbers, dropped_terms, negations,
                     deleted_statements):
            for place in kind(code, start, end):
                mutant = Mutant(path, text, place)
                if mutant.text != text and mutant.text not in seen:
                    seen.add(mutant.text)
                    yield mutant


def number_twins(mutants):
    """The same change twice on lines that read the same."""
    counts = {}
    for mutant in mutants:
        counts[mutant.name] = counts.get(mutant.name, 0) + 1
        if counts[mutant.name] > 1:
            mutant.name += f" ({counts[mutant.name]})"


def quiet(command, timeout=None, **kwargs):
    return subprocess.run(command, cwd=ROOT, timeout=timeout,
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, **kwargs).returncode


def limits(seconds):
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def judge(mutant, compiler):
    """Who killed it; None: nobody."""
    with tempfile.TemporaryDirectory(prefix="jwm") as directory:
        source = os.path.join(directory, "mutant.c")
        made = os.path.join(directory, "mutant.o")
        with open(source, "w") as f:
            f.write(mutant.text)
        if quiet([*compiler, *CFLAGS, "-w", "-c", "-o", made, source]):
            return "compiler"
        for test, limit in TESTS.items():
            program = os.path.join(directory, test)
            if quiet([*compiler, "-o", program,
                      f"{BUILD}/tests/unit/{test}.o", made,
                      f"{BUILD}/libdaemon.a", f"{BUILD}/libcommon.a",
                      "-pthread", "-lcmocka"]):
                return "linker"
            try:
                status = quiet(
                    [program], PATIENCE, env=ENVIRONMENT,
                    preexec_fn=lambda seconds=limit: limits(seconds))
            except subprocess.TimeoutExpired:
                return f"{test} (no end)"
            os.unlink(program)
            if status != 0:
                return test
    return None


def prepare(compiler):
    """Objects and archives of the sound version, which must pass."""
    objects = [f"{BUILD}/tests/unit/{t}.o" for t in TESTS]
    made = subprocess.run(
        ["make", "--no-print-directory", "-j2", f"B={BUILD}",
         f"CC={' '.join(compiler)}", "CFLAGS=-O1 -g", "WERROR=", *objects,
         f"{BUILD}/libdaemon.a", f"{BUILD}/libcommon.a"],
        cwd=ROOT, capture_output=True, text=True)
    if made.returncode != 0:
        sys.exit(made.stdout + made.stderr)
    for path in FILES:
        with open(os.path.join(ROOT, path)) as f:
            text = f.read()
        sound = Mutant(path, text, (0, 0, ""))
        killer = judge(sound, compiler)
        if killer is not None:
            sys.exit(f"mutate: {path} as it is fails in {killer}")


def explanations():
    """survivors.txt: the name of a mutant, and below it, indented, why."""
    found, name = {}, None
    with open(EXPLAINED) as f:
        for line in f:
            if line.startswith("#") or not line.strip():
                continue
            if not line[0].isspace():
                name = line.rstrip("\n")
                found[name] = ""
            elif name is not None:
                found[name] += line.strip()
    return {name for name, why in found.items() if why}


def killed_before(log):
    """What an earlier output says: name, and who killed it."""
    if log is None:
        return {}
    with open(log) as f:
        found = re.findall(r"^(\S+?):\d+: killed by (.*?): (.*)$", f.read(),
                           re.M)
    return {f"{path}: {name}": killer for path, killer, name in found}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-j", "--jobs", type=int,
                        default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", default="")
    parser.add_argument("--again")
    parser.add_argument("files", nargs="*", default=FILES)
    return parser.parse_args()


def main():
    options = parse_options()
    compiler = shlex.split(os.environ.get("CC", "cc"))
    started = time.monotonic()
    prepare(compiler)
    mutants = [m for path in options.files for m in mutants_of(path)]
    number_twins(mutants)
    mutants = [m for m in mutants if options.only in m.name]
    before = killed_before(options.again)
    survivors, killed, stillborn = set(), 0, 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        verdicts = pool.map(
            lambda m: before.get(m.name) or judge(m, compiler), mutants)
        for mutant, killer in zip(mutants, verdicts):
            stillborn += killer in ("compiler", "linker")
            if killer is None:
                survivors.add(mutant.name)
            elif killer not in ("compiler", "linker"):
                killed += 1
            verdict = f"killed by {killer}" if killer else "SURVIVED"
            print(f"{mutant.path}:{mutant.line}: {verdict}: "
                  f"{mutant.name.split(': ', 1)[1]}", flush=True)
    known = explanations()
    unexplained = survivors - known
    whole = not options.only and options.files == FILES
    stale = known - survivors if whole else set()
    for name in sorted(unexplained):
        print(f"unexplained: {name}")
    for name in sorted(stale):
        print(f"explained, but killed or gone: {name}")
    total = killed + len(survivors)
    share = killed / total if total else 1.0
    print(f"{total} mutants, {killed} killed ({share:.1%}), "
          f"{len(survivors)} survived, {len(unexplained)} unexplained; "
          f"{stillborn} do not compile; {time.monotonic() - started:.0f} s")
    return 1 if unexplained or stale or share < AIM else 0


if __name__ == "__main__":
    sys.exit(main())
