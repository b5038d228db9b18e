"""Installs the programs that Tenon is compared with, outside of the tree.

Each peer has a virtual environment below ${TENON_CACHE:-~/.cache/tenon}/peers
and a file <peer>.installed in it once all of its packages are there.
"""

import collections
import os
import re
import subprocess
import sys
import time
import venv
from pathlib import Path

CACHE = Path(os.environ.get("TENON_CACHE") or Path.home() / ".cache/tenon")
FOLDER = CACHE / "peers"

# `from_source`: the package that is built for this machine's processor.
# `check` prints what tells whether the build knows its instructions.
Peer = collections.namedtuple("Peer", "name folder packages from_source check "
                              "cost")

LLAMA_CHECK = ("import llama_cpp;"
               "print(llama_cpp.llama_print_system_info().decode())")
IK_CHECK = ("import ctypes, ik_llama_cpp._lib_loader as loader;"
            "call = loader.load_shared_library().llama_print_system_info;"
            "call.restype = ctypes.c_char_p; print(call().decode())")
TORCH_CHECK = ("import torch; print('AVX512 = 1' if 'AVX512' in "
               "torch.backends.cpu.get_cpu_capability() else 'AVX2')")

PEERS = {peer.name: peer for peer in (
    Peer("llama", FOLDER,
         ("llama-cpp-python==0.3.36", "gguf==0.19.0", "numpy>=2"),
         "llama-cpp-python", LLAMA_CHECK, "ten minutes of building"),
    Peer("ik", FOLDER / "ik", ("ik-llama-cpp-python==0.1.5", "numpy>=2"),
         "ik-llama-cpp-python", IK_CHECK, "40 minutes of building"),
    Peer("numpy", FOLDER / "kernels", ("numpy>=2",), None, None, "30 MB"),
    Peer("jax", FOLDER / "kernels", ("jax==0.10.2",), None, None, "150 MB"),
    Peer("openvino", FOLDER / "kernels", ("openvino==2026.4.1",), None, None,
         "50 MB"),
    Peer("iree", FOLDER / "kernels",
         ("iree-base-compiler==3.13.0", "iree-base-runtime==3.13.0"), None,
         None, "100 MB"),
    # Has oneDNN inside, and on x86-64 CUDA's libraries, which go unused.
    Peer("torch", FOLDER / "kernels", ("torch==2.15.0",), None, TORCH_CHECK,
         "3 GB, and 8 on the disk"),
)}


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


def python_of(name):
    return PEERS[name].folder / "bin/python"


def marker(peer):
    return peer.folder / f"{peer.name}.installed"


def is_installed(name):
    peer = PEERS[name]
    done = marker(peer)
    return done.exists() and done.read_text().split("\n") == list(peer.packages)


def has_avx512():
    return "avx512f" in Path("/proc/cpuinfo").read_text()


def check_build(peer):
    """None, or why the peer must not be compared with."""
    if not peer.check:
        return None
    done = subprocess.run([python_of(peer.name), "-c", peer.check],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, check=False)
    if done.returncode:
        return f"it does not start: {done.stderr.strip()[-400:]}"
    if has_avx512() and not re.search(r"AVX512 = 1", done.stdout):
        return (f"expects a build with AVX-512, as this machine has it, got "
                f"'{done.stdout.strip()}'")
    return None


def install(name):
    """Installs one peer; whether it is there. Says why not."""
    peer = PEERS[name]
    if is_installed(name):
        say(f"{name} is there already")
        return True
    start = time.monotonic()
    say(f"{name}: installing {', '.join(peer.packages)} in {peer.folder}: "
        f"about {peer.cost}")
    if not python_of(name).exists():
        venv.create(peer.folder, with_pip=True)
    # Wheels elsewhere are built without AVX-512.
    source = ["--no-binary", peer.from_source] if peer.from_source else []
    log = peer.folder / f"{name}.log"
    with open(log, "wb") as out:
        done = subprocess.run(
            [peer.folder / "bin/pip", "install", "--no-cache-dir", "--retries",
             "1", *source, *peer.packages], stdout=out,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        tail = log.read_text(errors="replace").strip().splitlines()[-3:]
        say(f"{name}: cannot be installed (no network, or no package index "
            f"has it?); the end of {log}:\n  " + "\n  ".join(tail))
        return False
    if problem := check_build(peer):
        say(f"{name}: {problem}")
        return False
    marker(peer).write_text("\n".join(peer.packages))
    say(f"{name}: done in {time.monotonic() - start:.0f} s")
    return True


def enter(name):
    """Continues the running script in the environment of a peer."""
    folder = PEERS[name].folder
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    if not is_installed(name) and not install(name):
        sys.exit(3)
    python = str(python_of(name))
    os.execv(python, [python, *sys.argv])
