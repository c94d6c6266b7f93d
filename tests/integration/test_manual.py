"""The manual pages say what the programs do, all of it and no more."""
import glob
import os
import re
import shutil
import subprocess
import unittest

import harness

MAN = os.path.join(harness.ROOT, "packaging/man")
CTL = os.path.join(harness.BUILD, "jwksctl")


def read(path):
    with open(os.path.join(harness.ROOT, path), encoding="utf-8") as f:
        return f.read()


def page(name):
    return read("packaging/man/" + name)


def ctl_help(*words):
    return subprocess.run([CTL, "help", *words], capture_output=True,
                          text=True, check=True).stdout


def commands():
    block = ctl_help().split("commands:\n")[1].split("\n\n")[0]
    return [re.match(r"  (\w+(?: \w+)?)  ", line).group(1)
            for line in block.splitlines()]


def options(text):
    """Long options of a help text, without the dashes."""
    block = re.search(r"^options(?:, before.*)?:\n(.*?)(\n\n|\Z)", text, re.M | re.S)
    return set(re.findall(r"--([a-z-]+)", "\n".join(
        line[:26] for line in block.group(1).splitlines()))) if block else \
        set()


def items(text):
    """{first words of .It Cm: the whole line}"""
    found = {}
    for line in re.findall(r"^\.It Cm (.*)$", text, re.M):
        found[re.match(r"[a-z]+(?: [a-z]+)?", line).group()] = line
    return found


def declared(kind, interface="org.jwksd.*"):
    """{name: [parameters]} of one interface, or of each one of ours"""
    found = {}
    for path in glob.glob(f"{harness.ROOT}/common/wire/{interface}.varlink"):
        text = re.sub(r"^#.*$", "", read(path), flags=re.M)
        for name, inside in re.findall(
                rf"^{kind}\s+(\w+)\s*\(([^)]*)\)", text, re.M):
            found[name] = re.findall(r"(\w+)\s*:", inside)
    return found


class Pages(unittest.TestCase):
    def test_there_are_all(self):
        self.assertEqual(
            {os.path.basename(p) for p in glob.glob(MAN + "/*")},
            {"jwksd.8", "jwksd-http.8", "jwksctl.1", "jwksd.conf.5",
             "jwksd-varlink.7", "jwksd-lifecycle.7"})

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc here")
    def test_mandoc_finds_nothing(self):
        done = subprocess.run(
            ["mandoc", "-Tlint", *sorted(glob.glob(MAN + "/*"))],
            capture_output=True, text=True)
        # What other pages this machine has is nothing of ours.
        found = [line for line in done.stdout.splitlines()
                 if "referenced manual not found" not in line and
                 "outdated mandoc.db" not in line]
        self.assertEqual(found, [])

    def test_pages_refer_to_pages_that_are_there(self):
        own = {os.path.basename(p) for p in glob.glob(MAN + "/*")}
        for path in glob.glob(MAN + "/*"):
            for name, section in re.findall(r"^\.Xr (jwks\S+) (\d)",
                                            read(path), re.M):
                self.assertIn(f"{name}.{section}", own, path)


class Commands(unittest.TestCase):
    def test_every_command_and_no_other(self):
        self.assertEqual(set(items(page("jwksctl.1"))), set(commands()))

    def test_every_option_of_every_command(self):
        described = items(page("jwksctl.1"))
        for command in commands():
            line = described[command]
            there = set(re.findall(r"Fl Fl ([a-z-]+)", line))
            self.assertEqual(there, options(ctl_help(*command.split())),
                             command)

    def test_global_options(self):
        text = page("jwksctl.1").split(".Ss")[0]
        there = set(re.findall(r"^\.It .*Fl Fl ([a-z-]+)", text, re.M))
        self.assertEqual(there, options(ctl_help()))


class Configuration(unittest.TestCase):
    def test_every_key_with_its_default(self):
        text, section = page("jwksd.conf.5"), None
        there = {}
        for line in text.splitlines():
            if head := re.match(r"\.Ss \[(\w+)\]", line):
                section = head.group(1)
            elif item := re.match(r"\.It Cm (\w+) No = Ar (.*)", line):
                there[section, item.group(1)] = item.group(2)
        wanted, section = {}, None
        for line in read("packaging/examples/jwksd.conf").splitlines():
            if head := re.match(r"\[(\w+)\]", line):
                section = head.group(1)
            elif item := re.match(r"#(\w+) = (.*)", line):
                wanted[section, item.group(1)] = item.group(2)
        wanted["http", "domain"] = "name"
        self.assertEqual(there, wanted)


class Interfaces(unittest.TestCase):
    def test_every_method_with_its_parameters(self):
        """Of each interface: two of them have a GetJwks."""
        there = {}
        for part in page("jwksd-varlink.7").split(".Ss ")[1:]:
            there[part.split()[0]] = {
                name: words.split() for name, words in re.findall(
                    r"^\.It Fn (\w+)(.*)$", part, re.M)}
        there.pop("Errors")
        names = {os.path.basename(p).removesuffix(".varlink")
                 for p in glob.glob(
                     harness.ROOT + "/common/wire/org.jwksd.*.varlink")}
        self.assertEqual(set(there), names)
        for name in names:
            self.assertEqual(there[name], declared("method", name), name)

    def test_every_error_with_its_parameters(self):
        there = {name: re.findall(r"Fa (\w+)", rest) for name, rest in
                 re.findall(r"^\.It Er (\w+)(.*)$", page("jwksd-varlink.7"),
                            re.M)}
        self.assertEqual(there, declared("error"))


class Programs(unittest.TestCase):
    def test_options(self):
        for name, manual in (("jwksd", "jwksd.8"),
                             ("jwksd-http", "jwksd-http.8")):
            done = subprocess.run([os.path.join(harness.BUILD, name), "--no"],
                                  capture_output=True, text=True)
            usage = done.stderr[done.stderr.index("usage:"):]
            self.assertEqual(
                set(re.findall(r"--([a-z]+)", usage)),
                set(re.findall(r"^\.It Fl Fl (\w+)", page(manual), re.M)))

    def test_exit_statuses(self):
        table = re.findall(r"^\| (\d+) \|", read("README.md"), re.M)
        there = re.findall(r"^\.It (\d+)$", page("jwksd.8"), re.M)
        self.assertEqual(there, table)
        unit = read("packaging/systemd/jwksd.service")
        final = re.search(r"^RestartPreventExitStatus=(.*)$", unit,
                          re.M).group(1).split()
        self.assertLessEqual(set(final), set(there))
        self.assertIn(", ".join(final[:-1]) + " and " + final[-1],
                      page("jwksd.8"))


class Catalog(unittest.TestCase):
    def test_every_event_is_explained(self):
        ids = dict(re.findall(r'\[JW_EVENT_(\w+)\] = "(\w+)"',
                              read("common/base/event.c")))
        text = read("packaging/systemd/jwksd.catalog")
        self.assertGreater(len(ids), 10)
        self.assertEqual(dict(re.findall(r"^# (\w+)\n-- (\w+)$", text, re.M)),
                         ids)
        for entry in text.split("\n-- ")[1:]:
            self.assertRegex(entry, r"(?s)\nSubject: \S.*\n\n\S")


class Versions(unittest.TestCase):
    def test_the_package_is_of_this_version(self):
        version = re.search(r"^VERSION := (\S+)", read("Makefile"),
                            re.M).group(1)
        self.assertTrue(read("packaging/debian/changelog").startswith(
            f"jwksd ({version}) "))


if __name__ == "__main__":
    unittest.main()
