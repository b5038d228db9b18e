"""Installs the programs that Tenon is compared with, outside of the tree.

Each peer has a virtual environment below ${TENON_CACHE:-~/.cache/tenon}/peers
and a file <peer>.installed in it once all of its packages are there.
"""

import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
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
# One of its libraries does not find the other by itself.
IK_CHECK = ("import ctypes, sysconfig, pathlib;"
            "ctypes.CDLL(str(pathlib.Path(sysconfig.get_path('purelib')) /"
            " 'ik_llama_cpp/lib/libggml.so'), ctypes.RTLD_GLOBAL);"
            "import ik_llama_cpp._lib_loader as loader;"
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
    Peer("onnxruntime", FOLDER / "kernels",
         ("onnxruntime==1.32.0", "onnx==1.23.2"), None, None, "60 MB"),
    # Has oneDNN inside, and on x86-64 CUDA's libraries, which go unused.
    Peer("torch", FOLDER / "kernels", ("torch==2.15.0",), None, TORCH_CHECK,
         "3 GB, and 8 on the disk"),
)}


# The package leaves out a file that its quantiser's build needs, and of that we
# need nothing: only the libraries are built.
IK_CMAKE = (
    (r"add_subdirectory\(vendor/ik_llama.cpp\)",
     "add_subdirectory(vendor/ik_llama.cpp EXCLUDE_FROM_ALL)\n"
     "add_custom_target(libraries ALL DEPENDS llama ggml)"),
    (r"add_subdirectory\(vendor/ik_llama.cpp/examples/quantize\)", ""),
    (r"install\(\s*TARGETS llama-quantize[^)]*\)", ""),
)


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


def run_pip(peer, out, *words):
    done = subprocess.run([peer.folder / "bin/pip", *words], stdout=out,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          check=False)
    return done.returncode == 0


def install_ik(peer, out):
    """From its source, with a CMakeLists.txt that builds."""
    requirement = peer.packages[0]
    with tempfile.TemporaryDirectory(prefix="tenon-peers-") as folder:
        if not run_pip(peer, out, "download", "--no-deps", "--retries", "1",
                       "--no-binary", peer.from_source, "--dest", folder,
                       requirement):
            return False
        [archive] = Path(folder).glob("*.tar.gz")
        source = peer.folder / "source"
        shutil.rmtree(source, ignore_errors=True)
        shutil.unpack_archive(archive, source)
    [source] = source.iterdir()
    cmake = source / "CMakeLists.txt"
    text = cmake.read_text()
    for pattern, replacement in IK_CMAKE:
        text = re.sub(pattern, replacement, text)
    cmake.write_text(text)
    # Both folders stay, so that a build that was stopped goes on.
    return run_pip(peer, out, "install", "-v", "--retries", "1",
                   f"--config-settings=build-dir={peer.folder / 'build'}",
                   source, *peer.packages[1:])


def install_packages(peer, out):
    if peer.name == "ik":
        return install_ik(peer, out)
    # Wheels elsewhere are built without AVX-512.
    source = ["--no-binary", peer.from_source] if peer.from_source else []
    return run_pip(peer, out, "install", "-v", "--no-cache-dir", "--retries",
                   "1", *source, *peer.packages)


def install(name):
    """Installs one peer; whether it is there. Says why not."""
    peer = PEERS[name]
    if is_installed(name):
        say(f"{name} is there already")
        return True
    start = time.monotonic()
    log = peer.folder / f"{name}.log"
    say(f"{name}: installing {', '.join(peer.packages)}: about {peer.cost}; "
        f"follow {log}")
    if not python_of(name).exists():
        venv.create(peer.folder, with_pip=True)
    with open(log, "wb") as out:
        is_there = install_packages(peer, out)
    if not is_there:
        tail = log.read_text(errors="replace").strip().splitlines()[-3:]
        say(f"{name}: cannot be installed (no network, no such package, "
            f"or its build fails); the end of {log}:\n  " + "\n  ".join(tail))
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
