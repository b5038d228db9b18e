"""Times one peer's kernels; runs in the peers' environment, by bench-peers.

Reads a request a line, {"work": "matmul", "m": 512, ..., "seconds": 0.3}, and
answers with {"runs": [seconds of a call, ...]} or {"error": "..."}. What
depends on the weights alone (packing) is done before the clock starts.
"""

import json
import os
import sys
import time

PEER, THREADS = sys.argv[1], int(sys.argv[2])


class Numpy:
    """OpenBLAS. Knows f32 alone."""

    def __init__(self):
        import numpy
        self.np = numpy
        self.random = numpy.random.default_rng(1)

    def draw(self, *shape):
        return self.random.standard_normal(shape, dtype="float32")

    def matmul(self, type, m, n, k):
        if type != "f32":
            raise NotImplementedError(type)
        x, w = self.draw(m, k), self.draw(n, k).T
        y = self.np.empty((m, n), "float32")
        return lambda: self.np.matmul(x, w, out=y)


class InTorch:
    def __init__(self):
        import torch
        self.torch = torch
        torch.set_num_threads(THREADS)
        torch.manual_seed(1)

    def dtype(self, type):
        if type not in ("f32", "bf16"):
            raise NotImplementedError(type)
        return {"f32": self.torch.float32, "bf16": self.torch.bfloat16}[type]


class Torch(InTorch):
    """What torch does by itself: MKL in f32, oneDNN in bf16."""

    def matmul(self, type, m, n, k):
        dtype = self.dtype(type)
        x = self.torch.randn(m, k).to(dtype)
        w = self.torch.randn(n, k).to(dtype).t()
        y = self.torch.empty(m, n, dtype=dtype)
        return lambda: self.torch.mm(x, w, out=y)

    def rows(self, kind, rows, columns):
        functional = self.torch.nn.functional
        x = self.torch.randn(rows, columns)
        w, u = self.torch.ones(columns), self.torch.randn(rows, columns)
        return {"softmax": lambda: functional.softmax(x, -1),
                "rms_norm": lambda: functional.rms_norm(x, (columns,), w, 1e-6),
                "gate": lambda: functional.silu(x).mul_(u)}[kind]

    def attention(self, length, width):
        q, k, v = (self.torch.randn(1, 1, length, width) for _ in range(3))
        attend = self.torch.nn.functional.scaled_dot_product_attention
        return lambda: attend(q, k, v, is_causal=True)


class OneDnn(InTorch):
    """oneDNN with weights packed beforehand, by torch's bindings."""

    def matmul(self, type, m, n, k):
        if type == "int8":
            return self.matmul_int8(m, n, k)
        dtype, ops = self.dtype(type), self.torch.ops.mkldnn
        x = self.torch.randn(m, k).to(dtype)
        w = self.torch.randn(n, k).to(dtype)
        packed = ops._reorder_linear_weight(w, m)
        return lambda: ops._linear_pointwise(x, packed, None, "none", [], "")

    def matmul_int8(self, m, n, k):
        """Of bytes by bytes, per channel; x is quantised already."""
        torch, ops = self.torch, self.torch.ops.onednn
        x = torch.randint(0, 255, (m, k), dtype=torch.uint8)
        w = torch.randint(-127, 127, (n, k), dtype=torch.int8)
        packed = ops.qlinear_prepack(w, [m, k])
        scales = torch.rand(n) + 0.5
        zeros = torch.zeros(n, dtype=torch.int64)
        return lambda: ops.qlinear_pointwise(
            x, 0.1, 128, packed, scales, zeros, None, 1.0, 0, torch.float32,
            "none", [], "")


class Jax:
    """XLA's CPU backend."""

    def __init__(self):
        # It has no option for threads: one for each CPU that it may use.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
        import jax
        self.jax, self.jnp = jax, jax.numpy

    def draw(self, *shape):
        return self.jax.random.normal(self.jax.random.key(1), shape)

    def compiled(self, function, *arguments):
        jitted = self.jax.jit(function)
        return lambda: jitted(*arguments).block_until_ready()

    def matmul(self, type, m, n, k):
        if type not in ("f32", "bf16"):
            raise NotImplementedError(type)
        dtype = {"f32": "float32", "bf16": "bfloat16"}[type]
        x, w = self.draw(m, k).astype(dtype), self.draw(n, k).astype(dtype)
        return self.compiled(lambda x, w: x @ w.T, x, w)

    def rows(self, kind, rows, columns):
        jax, jnp = self.jax, self.jnp
        x, w, u = self.draw(rows, columns), jnp.ones(columns), None
        if kind == "softmax":
            return self.compiled(lambda x: jax.nn.softmax(x, -1), x)
        if kind == "rms_norm":
            return self.compiled(lambda x, w: x * w * jax.lax.rsqrt(
                jnp.mean(x * x, -1, keepdims=True) + 1e-6), x, w)
        u = self.draw(rows, columns)
        return self.compiled(lambda x, u: jax.nn.silu(x) * u, x, u)

    def attention(self, length, width):
        q = self.draw(1, length, 1, width)
        attend = self.jax.nn.dot_product_attention
        return self.compiled(lambda q: attend(q, q, q, is_causal=True), q)


class OpenVino:
    """Weights are a constant of the model."""

    def matmul(self, type, m, n, k):
        if type not in ("f32", "bf16"):
            raise NotImplementedError(type)
        import numpy
        import openvino
        import openvino.opset13 as ops
        random = numpy.random.default_rng(1)
        x = ops.parameter([m, k], numpy.float32)
        w = ops.constant(random.standard_normal((n, k), dtype="float32"))
        model = openvino.Model([ops.matmul(x, w, False, True)], [x])
        request = openvino.compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": THREADS, "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": type}).create_infer_request()
        request.set_input_tensor(openvino.Tensor(
            random.standard_normal((m, k), dtype="float32")))
        return request.infer


class OnnxRuntime:
    """Weights are a constant of the model; int8 is unsigned by signed."""

    def matmul(self, type, m, n, k):
        if type not in ("f32", "int8"):
            raise NotImplementedError(type)
        import numpy
        from onnx import TensorProto, numpy_helper
        random = numpy.random.default_rng(1)
        if type == "f32":
            x, w = (random.standard_normal(shape, dtype="float32")
                    for shape in ((m, k), (k, n)))
            kinds = "MatMul", TensorProto.FLOAT, TensorProto.FLOAT
        else:
            x = random.integers(0, 256, (m, k), dtype="uint8")
            w = random.integers(-127, 128, (k, n), dtype="int8")
            kinds = "MatMulInteger", TensorProto.UINT8, TensorProto.INT32
        return self.run(kinds, x, (m, n), [numpy_helper.from_array(w, "w")])

    def rows(self, kind, rows, columns):
        if kind != "softmax":
            raise NotImplementedError(kind)
        import numpy
        from onnx import TensorProto
        x = numpy.random.default_rng(1).standard_normal((rows, columns),
                                                        dtype="float32")
        kinds = "Softmax", TensorProto.FLOAT, TensorProto.FLOAT
        return self.run(kinds, x, (rows, columns), [])

    def run(self, kinds, x, shape, constants):
        """Of one node; its output is written to the same memory each time."""
        import onnxruntime
        from onnx import helper
        op, before, after = kinds
        graph = helper.make_graph(
            [helper.make_node(op, ["x", *(c.name for c in constants)], ["y"])],
            "g", [helper.make_tensor_value_info("x", before, x.shape)],
            [helper.make_tensor_value_info("y", after, shape)], constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options,
            providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        binding.bind_cpu_input("x", x)
        binding.bind_output("y")
        return lambda: session.run_with_iobinding(binding)


class Iree:
    """Compiled for this machine; weights are an argument."""

    def matmul(self, type, m, n, k):
        if type != "f32":
            raise NotImplementedError(type)
        import iree.compiler
        import iree.runtime
        import numpy
        text = f"""func.func @f(%x: tensor<{m}x{k}xf32>, %w: tensor<{k}x{n}xf32>)
          -> tensor<{m}x{n}xf32> {{
          %zero = arith.constant 0.0 : f32
          %e = tensor.empty() : tensor<{m}x{n}xf32>
          %y = linalg.fill ins(%zero : f32) outs(%e : tensor<{m}x{n}xf32>)
            -> tensor<{m}x{n}xf32>
          %r = linalg.matmul
            ins(%x, %w : tensor<{m}x{k}xf32>, tensor<{k}x{n}xf32>)
            outs(%y : tensor<{m}x{n}xf32>) -> tensor<{m}x{n}xf32>
          return %r : tensor<{m}x{n}xf32> }}"""
        code = iree.compiler.compile_str(
            text, target_backends=["llvm-cpu"], input_type="auto",
            extra_args=["--iree-llvmcpu-target-cpu=host",
                        "--iree-opt-data-tiling"])
        iree.runtime.flags.parse_flags(f"--task_topology_max_group_count="
                                       f"{THREADS}")
        config = iree.runtime.Config("local-task")
        context = iree.runtime.SystemContext(config=config)
        context.add_vm_module(iree.runtime.VmModule.copy_buffer(
            context.instance, code))
        random = numpy.random.default_rng(1)
        x, w = (iree.runtime.asdevicearray(
            config.device, random.standard_normal(shape, dtype="float32"))
            for shape in ((m, k), (k, n)))
        function = context.modules.module.f
        return lambda: function(x, w)


CLASSES = {"numpy": Numpy, "torch": Torch, "onednn": OneDnn, "jax": Jax,
           "openvino": OpenVino, "onnxruntime": OnnxRuntime, "iree": Iree}


def timed(call, seconds):
    """Seconds of a call, in several runs; short calls in batches."""
    end = time.perf_counter() + seconds
    start = time.perf_counter()
    call()
    once = time.perf_counter() - start
    if once > seconds:
        return [once]
    batch, runs = max(1, int(1e-3 / max(once, 1e-9))), []
    while len(runs) < 3 or (time.perf_counter() < end and len(runs) < 100):
        start = time.perf_counter()
        for _ in range(batch):
            call()
        runs.append((time.perf_counter() - start) / batch)
    return runs


def answer(peer, calls, request):
    seconds = request.pop("seconds")
    key = json.dumps(request, sort_keys=True)
    if key not in calls:
        calls.clear()  # Of one piece of work at a time.
        calls[key] = getattr(peer, request.pop("work"))(**request)
        calls[key]()  # Compiles, and pages in.
    return {"runs": timed(calls[key], seconds)}


def main():
    # Libraries print where they like; answers go to the first stdout.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer, calls = CLASSES[PEER](), {}
    for line in sys.stdin:
        try:
            reply = answer(peer, calls, json.loads(line))
        except NotImplementedError:
            reply = {"unsupported": True}
        except AttributeError as error:  # The peer has no such work.
            reply = {"unsupported": True, "why": str(error)[:200]}
        except Exception as error:  # Whatever a peer throws is its result.
            reply = {"error": f"{type(error).__name__}: {error}"[:400]}
        print(json.dumps(reply), file=out, flush=True)


if __name__ == "__main__":
    main()
