"""jwksctl reload: all of a configuration or nothing of it."""
import json
import os
import subprocess
import unittest

import harness

CTL = os.path.join(harness.BUILD, "jwksctl")


class Reload(unittest.TestCase):
    def setUp(self):
        self.daemon = harness.Daemon()
        self.enterContext(self.daemon)

    def ctl(self, *arguments, status=0):
        done = subprocess.run(
            [CTL, "--socket", self.daemon.control, *arguments],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout, done.stderr

    def test_what_is_live_is_in_force_and_the_rest_is_named(self):
        self.assertIn("nothing differs", self.ctl("reload")[0])
        self.daemon.write_config(policy={"rotation_period": "40d"},
                                 http={"processes": "2"})
        out = json.loads(self.ctl("reload", "--json")[0])
        self.assertEqual(out, {"changed": ["policy.rotation_period"],
                               "restart": ["http.processes"]})
        out, err = self.ctl("reload")
        self.assertIn("at the next start: http.processes", out)
        self.assertIn("systemctl restart", err)
        self.daemon.call("AddKeySet", {"name": "later"})
        sets = {s["name"]: s for s in
                self.daemon.call("ListKeySets")["keySets"]}
        self.assertEqual(sets["later"]["policy"]["rotationPeriod"],
                         40 * 86400)
        self.assertNotEqual(sets["default"]["policy"]["rotationPeriod"],
                            40 * 86400)

    def test_the_log_level_follows(self):
        self.daemon.write_config(daemon={"log_level": "error"})
        self.ctl("reload")
        before = self.daemon.log()
        self.daemon.call("Rotate", {"now": True})
        self.assertEqual(self.daemon.log(), before)

    def test_a_bad_one_changes_nothing_and_is_reported(self):
        self.daemon.write_config(policy={"rotation_period": "40d",
                                         "cache_max_age": "0"},
                                 daemon={"log_level": "error"})
        _, err = self.ctl("reload", status=78)
        self.assertRegex(err, r"^jwksctl: \S+jwksd\.conf:\d+: .*cache_max_age")
        self.assertIn("hint: nothing was changed", err)
        self.assertRegex(self.daemon.log(),
                         r"not reloaded: \S+jwksd\.conf:\d+: ")
        self.daemon.call("Rotate", {"now": True})
        self.assertIn("is active", self.daemon.log().split("not reloaded")[1])

    def test_a_group_that_does_not_exist_is_refused(self):
        self.daemon.write_config(access={"admin_group": "nobody-has-it"})
        _, err = self.ctl("reload", status=78)
        self.assertIn("there is no such group", err)


if __name__ == "__main__":
    unittest.main()
