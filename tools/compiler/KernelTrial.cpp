//===- KernelTrial.cpp - One kernel, cut and timed in many ways -----------===//

#include "tools/compiler/KernelTrial.h"

#include "codegen/cpu/Lower.h"
#include "codegen/cpu/Object.h"
#include "frontend/session/ModelFiles.h"

#include "mlir/IR/OwningOpRef.h"
#include "llvm/IR/LLVMContext.h"

#include <chrono>
#include <cstring>
#include <numeric>
#include <random>

using namespace mlir;
using namespace tenon;
using namespace tenon::tools;

namespace {

constexpr int64_t kPadding = 64;           // after every buffer of the runtime
constexpr int64_t kPageBlocks = 4;         // the runtime's default
constexpr int64_t kWeightBytes = 64 << 10; // smaller ones stay in a cache
constexpr int64_t kMostCopies = 64;
constexpr char kGarbage = '\xc3';

/// Fills a buffer with small finite values: for floats from -1 to 1, for
/// integers, which may be indices, 0.
void fill(char *data, int64_t sizeBytes, base::ElementType element) {
  constexpr int64_t kPattern = 1 << 20;
  std::mt19937 random(7);
  int64_t drawn = std::min(sizeBytes, kPattern);
  if (element == base::ElementType::F32) {
    for (int64_t at = 0; at + 4 <= drawn; at += 4) {
      float value = static_cast<float>(random() % 2001) / 1000 - 1;
      std::memcpy(data + at, &value, sizeof(value));
    }
  } else if (base::info(element).isBlocked() ||
             element == base::ElementType::F16 ||
             element == base::ElementType::BF16) {
    // Bits below 0x40 in every byte: below 2 in each of these formats.
    for (int64_t at = 0; at < drawn; ++at)
      data[at] = static_cast<char>(random() % 0x40);
  } else {
    std::memset(data, 0, sizeBytes);
    return;
  }
  for (int64_t at = drawn; at < sizeBytes; at += drawn)
    std::memcpy(data + at, data, std::min(drawn, sizeBytes - at));
}

} // namespace

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

absl::StatusOr<KernelTrial::Buffer *> KernelTrial::add(int64_t sizeBytes) {
  StatusOr<hal::Memory> memory = setup.device.allocate(sizeBytes + kPadding);
  if (!memory.ok())
    return toAbsl(memory.status());
  Buffer &buffer = buffers.emplace_back();
  buffer.memory = *std::move(memory);
  buffer.sizeBytes = sizeBytes;
  return &buffer;
}

absl::Status KernelTrial::addTensor(RankedTensorType type, bool isResult) {
  base::ElementType element = ir::storageOf(type.getElementType());
  SmallVector<int64_t> shape(type.getShape());
  for (auto [axis, extent] : llvm::enumerate(shape))
    if (ShapedType::isDynamic(extent))
      extent = values.lookup(ir::symbolOf(type, axis));
  int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t{1},
                                  std::multiplies<>());
  absl::StatusOr<Buffer *> buffer = // static ones may be packed
      add(type.hasStaticShape() ? ir::storedBytes(type)
                                : *base::sizeBytes(element, count));
  if (!buffer.ok())
    return buffer.status();
  (*buffer)->isWritten = isResult;
  (*buffer)->isWeight = !isResult && type.hasStaticShape() &&
                        (*buffer)->sizeBytes >= kWeightBytes;
  if (!isResult)
    fill(static_cast<char *>((*buffer)->memory.data()), (*buffer)->sizeBytes,
         element);
  return absl::OkStatus();
}

/// One sequence, whose last tokens are the step's.
absl::Status KernelTrial::addBatch() {
  int64_t tokens = values.lookup("T"), pages = values.lookup("P");
  std::vector<int32_t> sequence(tokens, 0), position(tokens), page(pages);
  std::iota(position.begin(), position.end(),
            static_cast<int32_t>(setup.context - tokens));
  std::iota(page.begin(), page.end(), 0);
  for (const auto &ints : {sequence, position, page}) {
    absl::StatusOr<Buffer *> buffer = add(ints.size() * sizeof(int32_t));
    if (!buffer.ok())
      return buffer.status();
    std::memcpy((*buffer)->memory.data(), ints.data(), (*buffer)->sizeBytes);
  }
  return absl::OkStatus();
}

absl::Status KernelTrial::addCache(ir::CacheType type) {
  base::ElementType element = ir::storageOf(type.getElementType());
  int64_t blocks = values.lookup("P") * kPageBlocks;
  absl::StatusOr<Buffer *> buffer =
      add(blocks * type.getHeads() * type.headBytes());
  if (!buffer.ok())
    return buffer.status();
  auto *data = static_cast<char *>((*buffer)->memory.data());
  fill(data, (*buffer)->sizeBytes, element);
  (*buffer)->isWritten = true;
  (*buffer)->initial.assign(data, (*buffer)->sizeBytes);
  return absl::OkStatus();
}

/// Makes frames whose weights are others, until all overflow the last cache.
absl::Status KernelTrial::copyWeights() {
  int64_t total = 0;
  for (const Buffer &buffer : buffers)
    total += buffer.isWeight ? buffer.sizeBytes : 0;
  int64_t count = 1;
  if (total > 0)
    count =
        std::clamp<int64_t>(2 * setup.machine.l3Bytes / total, 1, kMostCopies);
  for (int64_t number = 0; number < count; ++number) {
    std::vector<void *> &frame = frames.emplace_back();
    for (Buffer &buffer : buffers) {
      frame.push_back(buffer.memory.data());
      if (!buffer.isWeight || number == 0)
        continue;
      StatusOr<hal::Memory> copy =
          setup.device.allocate(buffer.sizeBytes + kPadding);
      if (!copy.ok())
        return toAbsl(copy.status());
      std::memcpy(copy->data(), buffer.memory.data(), buffer.sizeBytes);
      frame.back() = copy->data();
      copies.push_back(*std::move(copy));
    }
  }
  return absl::OkStatus();
}

absl::Status KernelTrial::bind(const codegen::SymbolRanges &ranges) {
  for (const auto &range : ranges) {
    ir::SymbolAttr symbol = range.getValue();
    symbols.push_back(symbol);
    int64_t wanted = range.getKey() == "T" ? setup.tokens : 1;
    values[range.getKey()] =
        std::clamp(wanted, symbol.getMin(), symbol.getMax());
  }
  int64_t pageTokens = kPageBlocks * TENON_CACHE_BLOCK;
  values.try_emplace("T", 1);
  setup.context = std::max(setup.context, values.lookup("T"));
  values["S"] = 1;
  values["P"] = llvm::divideCeil(setup.context, pageTokens);
  values["pageBlocks"] = kPageBlocks;
  for (Type type : kernel.getInputs().getTypes()) {
    absl::Status status;
    if (isa<ir::BatchType>(type))
      status = addBatch();
    else if (auto cache = dyn_cast<ir::CacheType>(type))
      status = addCache(cache);
    else
      status = addTensor(cast<RankedTensorType>(type), /*isResult=*/false);
    if (!status.ok())
      return status;
  }
  // A cache that is a result is an operand's memory.
  for (Type type : kernel.getResultTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      if (absl::Status status = addTensor(tensor, true); !status.ok())
        return status;
  return copyWeights();
}

absl::StatusOr<std::unique_ptr<KernelTrial>>
KernelTrial::create(ir::KernelOp kernel, const codegen::SymbolRanges &ranges,
                    const TrialSetup &setup) {
  std::unique_ptr<KernelTrial> trial(new KernelTrial(kernel, setup));
  if (absl::Status status = trial->bind(ranges); !status.ok())
    return status;
  return trial;
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

absl::StatusOr<std::unique_ptr<CutKernel>>
KernelTrial::compile(ArrayRef<ir::ScheduleAttr> schedules) {
  constexpr const char *kSymbol = "trial";
  MLIRContext *context = kernel.getContext();
  kernel.setSchedulesAttr(
      ArrayAttr::get(context, SmallVector<Attribute>(schedules)));
  std::string diagnostics;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    diagnostics += diagnostic.str() + "\n";
  });
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  codegen::cpu::KernelInfo info;
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> lowered;
  if (succeeded(codegen::cpu::emitKernel(kernel, kSymbol, symbols,
                                         setup.features, *module, info)))
    lowered = codegen::cpu::lower(*module, setup.features, llvmContext);
  if (!lowered)
    return absl::InternalError(diagnostics);
  auto object = codegen::cpu::emitObject(*lowered, setup.features);
  if (!object.ok())
    return object.status();
  auto jit = codegen::cpu::Jit::create();
  if (!jit.ok())
    return jit.status();
  auto code = std::make_unique<CutKernel>();
  code->jit = *std::move(jit);
  if (absl::Status status = code->jit->add(*object); !status.ok())
    return status;
  auto function = code->jit->lookup(kSymbol);
  if (!function.ok())
    return function.status();
  code->function = *function;
  for (const std::string &name : info.dims)
    code->dims.push_back(values.lookup(name));
  StatusOr<int64_t> tiles = info.tiles.evaluate(code->dims, {});
  Status reserved = setup.device.reserveScratch(info.scratchBytes);
  if (!tiles.ok() || !reserved.ok())
    return toAbsl(tiles.ok() ? reserved : tiles.status());
  code->tiles = static_cast<uint32_t>(*tiles);
  return code;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

bool KernelTrial::run(const CutKernel &code, size_t frame) {
  tenon_failure failure = {};
  hal::Launch launch;
  launch.kernel = code.function;
  launch.buffers = frames[frame].data();
  launch.dims = code.dims.data();
  launch.tiles = code.tiles;
  launch.failure = &failure;
  setup.device.launch(launch);
  return failure.kind == TENON_FAILURE_NONE;
}

/// Makes everything that is written as it was.
void KernelTrial::restore() {
  for (Buffer &buffer : buffers) {
    if (!buffer.isWritten)
      continue;
    if (buffer.initial.empty())
      std::memset(buffer.memory.data(), kGarbage, buffer.sizeBytes);
    else
      std::memcpy(buffer.memory.data(), buffer.initial.data(),
                  buffer.sizeBytes);
  }
}

bool KernelTrial::keepResults(const CutKernel &code) {
  restore();
  if (!run(code, 0))
    return false;
  for (Buffer &buffer : buffers)
    if (buffer.isWritten)
      buffer.kept.assign(static_cast<const char *>(buffer.memory.data()),
                         buffer.sizeBytes);
  return true;
}

bool KernelTrial::givesSame(const CutKernel &code) {
  restore();
  if (!run(code, 0))
    return false;
  return llvm::all_of(buffers, [](const Buffer &buffer) {
    return !buffer.isWritten ||
           std::memcmp(buffer.memory.data(), buffer.kept.data(),
                       buffer.sizeBytes) == 0;
  });
}

double KernelTrial::time(const CutKernel &code, int64_t runs) {
  auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < runs; ++i) {
    run(code, nextFrame);
    nextFrame = (nextFrame + 1) % frames.size();
  }
  std::chrono::duration<double, std::nano> took =
      std::chrono::steady_clock::now() - start;
  return took.count() / static_cast<double>(runs);
}
