# lit configuration of every .mlir test; the site configuration in the build tree
# sets `tenon_bin`, `tenon_generated` and `llvm_tools`.
import os

import lit.formats

config.name = "tenon"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = os.path.dirname(__file__)
config.excludes = ["support"]

path = [config.tenon_bin, config.llvm_tools, config.environment.get("PATH", "")]
config.environment["PATH"] = os.pathsep.join(path)

# An op's test: round trips through text and bytecode, each constraint broken
# once, and every function with `tn.test_inputs` evaluated in both arithmetics.
config.substitutions += [
    ("%test_op", "tenon-opt %s --split-input-file --verify-diagnostics "
                 "--verify-roundtrip --tn-interpret"),
    ("%test_rt", "tenon-opt %s --split-input-file --verify-diagnostics "
                 "--verify-roundtrip"),
    ("%generated", config.tenon_generated),
    ("%python", config.python),
]
