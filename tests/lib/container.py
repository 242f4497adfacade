# SPDX-License-Identifier: Apache-2.0
"""Containers, by runc."""
import glob
import json
import os
import shutil
import subprocess


class Container:
    """
    A pid and a mount namespace of its own, in the test's network; its cgroup is called as Docker
    calls them. Its root holds its own copies of what argv[0] needs (so its own libssl file); with
    `binds`, of nothing but these: {path inside: path outside}.
    """

    def __init__(self, stage, directory, name, argv, binds=None, parent="docker"):
        self.stage, self.name = stage, name
        # Names are the stage's own: another on this host may have the same.
        self.runc = ["runc", "--root", os.path.join(stage.directory, "runc")]
        self.id = (name.encode().hex() * 64)[:64]
        self.path = f"{stage.name}/{parent}/{self.id}"
        self.bundle = os.path.join(str(directory), name)
        self.root = os.path.join(self.bundle, "rootfs")
        os.makedirs(self.root)
        for file in [] if binds else [*self.closure(argv[0]), stage.ca, "/etc/hosts", "/etc/nsswitch.conf"]:
            if os.path.exists(file):
                os.makedirs(self.root + os.path.dirname(file), exist_ok=True)
                shutil.copy(file, self.root + file)
        subprocess.run(["runc", "spec"], cwd=self.bundle, check=True)
        self.configure(argv, binds or {})

    @staticmethod
    def closure(program):
        said = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        files = [word for line in said.splitlines() for word in line.split() if word.startswith("/")]
        return [program, *files, *glob.glob("/lib/*/libnss_files.so.2")]

    def configure(self, argv, binds):
        file = os.path.join(self.bundle, "config.json")
        with open(file, encoding="utf-8") as f:
            spec = json.load(f)
        spec["process"].update(terminal=False, args=argv,
                               env=["PATH=/usr/bin", *(f"{name}={self.stage.ca}" for name in (
                                   "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"))])
        spec["root"]["readonly"] = False
        spec.pop("hostname", None)
        spec["linux"]["cgroupsPath"] = self.path
        spec["linux"].pop("resources", None)
        spec["linux"]["namespaces"] = [{"type": "pid"}, {"type": "mount"}]
        spec["mounts"] += [{"destination": inside, "source": outside, "type": "none",
                            "options": ["rbind", "ro"]} for inside, outside in binds.items()]
        with open(file, "w", encoding="utf-8") as f:
            json.dump(spec, f)

    def start(self, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return self.stage.children.start([*self.runc, "run", self.name], cwd=self.bundle, text=True,
                                         **options)

    def enter(self, argv, **options):
        """One more process in it, by `runc exec`."""
        return self.stage.guests.start([*self.runc, "exec", self.name, *argv], **options)

    def remove(self):
        subprocess.run([*self.runc, "delete", "--force", self.name], check=False, capture_output=True)


def everything(stage, *paths):
    """Binds of a container that has the host's programs, the test's certificate, and these paths."""
    wanted = ["/usr", "/bin", "/lib", "/lib64", "/etc", stage.directory, *paths]
    return {path: path for path in wanted if os.path.exists(path)}
