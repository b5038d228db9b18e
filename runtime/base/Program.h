//===- Program.h - A compiled program as plain data -------------*- C++ -*-===//
//
// What the compiler produces and the runtime executes: entry points with their
// variants, the memory each needs, and a flat list of host instructions. It is
// data, so it can be verified, printed, stored in a file and captured. Nothing
// here depends on the compiler. `Container.h` stores it; `verify` is run on
// every program before use, wherever it came from.
//
// Example: a variant of one launch
//   symbols  T in [1, 512]
//   buffers  0: argument f32[T, 8]  1: result f32[T, 8]
//   body     launch kernel 0 (buffers 0, 1) dims (T) tiles ceildiv(T, 4)
//
//===----------------------------------------------------------------------===//

#ifndef TENON_BASE_PROGRAM_H
#define TENON_BASE_PROGRAM_H

#include "runtime/base/Blocks.h"
#include "runtime/base/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tenon::base {

/// An integer expression over the symbols of an entry, in postfix order.
/// Evaluation is checked: overflow, a divisor below 1 or a malformed program is
/// an error, never undefined. Division rounds down (FloorDiv) or up (CeilDiv).
class Expr {
public:
  enum class Op : uint8_t {
    Constant, // pushes `value`
    Symbol,   // pushes symbol number `value`
    Register, // pushes host register number `value`
    Add,
    Sub,
    Mul,
    FloorDiv,
    CeilDiv,
    Mod,
    Min,
    Max,
    Less,  // 1 or 0
    Equal, // 1 or 0
  };
  struct Term {
    Op op;
    int64_t value = 0;
    bool operator==(const Term &) const = default;
  };

  /// Operands waiting on the evaluation stack at any time.
  static constexpr size_t kMaxDepth = 32;

  Expr() = default; // The empty expression is invalid; see `isValid`.
  explicit Expr(std::vector<Term> terms) : terms(std::move(terms)) {}

  static Expr constant(int64_t value);
  static Expr symbol(uint32_t index);
  static Expr reg(uint32_t index);
  static Expr binary(Op op, const Expr &a, const Expr &b); // folds constants

  /// The value, or an error for overflow and malformed expressions.
  StatusOr<int64_t> evaluate(const std::vector<int64_t> &symbols,
                             const std::vector<int64_t> &registers) const;
  /// The same for the steps' hot path: allocates nothing, trusts `isValid`, and
  /// returns false for overflow or a divisor below 1.
  bool tryEvaluate(const int64_t *symbols, const int64_t *registers,
                   int64_t &value) const;
  bool isConstant() const;
  bool usesRegisters() const;
  /// Well formed, no deeper than kMaxDepth, and every symbol and register is
  /// below its bound.
  bool isValid(size_t symbolCount, size_t registerCount) const;
  /// Infix text for people: "ceildiv(T, 4) * 640".
  std::string print(const std::vector<std::string> &symbolNames) const;

  std::vector<Term> terms;
  bool operator==(const Expr &) const = default;
};

/// A dimension known only at a call. Bound by the shapes of the arguments or,
/// where no argument has it, by the session's limits.
struct Symbol {
  std::string name; // "T"
  int64_t min = 1;
  int64_t max = 1;
  int64_t divisor = 1;
};

/// The type of an argument, result or parameter.
struct TensorType {
  ElementType element = ElementType::F32;
  std::vector<Expr> shape; // outermost first
};

struct Value {
  std::string name;
  TensorType type;
};

/// A weight of the model, by name and type. Bound when a session opens.
struct Parameter {
  std::string name;   // the model's: "layers.0.attention.query"
  std::string source; // the weights file's: "blk.0.attn_q.weight"
  ElementType element = ElementType::F32;
  std::vector<int64_t> shape; // static, outermost first
};

/// Memory computed once per session from parameters by the entry `@prepare`
/// (packed weights, folded constants) and read by all entries.
struct Prepared {
  std::string name;
  int64_t sizeBytes = 0;
};

/// Memory that lives across calls. A paged cache has blocks, and as many bytes
/// as the session's pages; a tensor has a shape, and is first the weight
/// `source`, or zeros where that is empty.
struct State {
  std::string name; // "layers.0.keys"
  ElementType element = ElementType::F32;
  int64_t bytesPerBlock = 0; // of TENON_CACHE_BLOCK keys; 0: a tensor
  std::string source = {};   // the weights file's
  std::vector<int64_t> shape = {};
  float mean = 0, deviation = 0; // of its first values, where they are drawn
  bool isTensor() const { return bytesPerBlock == 0; }
};

enum class BufferKind : uint8_t {
  Argument,  // `index`th argument of the entry
  Result,    // `index`th result of the entry; memory is the caller's
  Parameter, // `index`th parameter of the program
  Prepared,  // `index`th prepared value of the program
  Constant,  // at byte `index` of the program's constants
  Temporary, // in the arena, alive from `firstUse` to `lastUse`
  State,     // `index`th state of the program
};

struct Buffer {
  BufferKind kind = BufferKind::Temporary;
  uint64_t index = 0;
  std::string name; // for people: the op that makes it
  ElementType element = ElementType::F32;
  Expr sizeBytes;
  // Instruction numbers of the body, inclusive; widened over loops.
  uint32_t firstUse = 0;
  uint32_t lastUse = 0;
};

/// A source position that a failure can name.
struct KernelLocation {
  std::string op;     // "tn.gather"
  std::string source; // "models/gemma/Model.cpp:41" or a layer's name
};

/// A table of which a kernel reads one row for each i32 of an index, whatever
/// the table's size. Numbers are of the kernel's buffers.
struct RowRead {
  uint32_t table = 0;
  uint32_t index = 0;
  int64_t rowBytes = 0;
};

/// One compiled function, present in the code object of each feature set.
struct Kernel {
  std::string symbol;       // the function's name in the code objects
  std::string label;        // for people and traces: "rms_norm+mul"
  int64_t scratchBytes = 0; // per worker
  uint32_t bufferCount = 0;
  uint32_t dimCount = 0;
  std::vector<std::string> ops;      // what it holds, in order
  std::vector<std::string> notFused; // "op: reason"
  std::vector<KernelLocation> locations;
  std::vector<RowRead> rowReads; // for people: what a launch moves
};

enum class Opcode : uint8_t {
  Launch,   // kernel, buffers, exprs = dims..., tiles
  Copy,     // buffers = {from, to}, exprs = {bytes}
  Set,      // reg = exprs[0]
  Load,     // reg = the i32, i64 or bool element exprs[0] of buffers[0]
  Store,    // the same element of buffers[0] = exprs[1]
  Branch,   // continue at `target`
  BranchIf, // continue at `target` if exprs[0] is not 0
  Emit,     // gives the i32 elements of buffers[0] (exprs[0] of them) to the
            // caller's sink; reg = 1 if the sink asks to stop, else 0
  Return,
};

struct Instruction {
  Opcode op = Opcode::Return;
  uint32_t kernel = 0;
  uint32_t reg = 0;
  uint32_t target = 0; // an instruction number of the body
  std::vector<uint32_t> buffers;
  std::vector<Expr> exprs;
  Expr tiles;
  std::string label; // the layer it belongs to, for traces
};

/// `min <= symbol <= max`.
struct Guard {
  uint32_t symbol = 0;
  int64_t min = 1;
  int64_t max = 1;
};

/// A specialisation of an entry for a range of its symbols.
struct Variant {
  std::string name; // "decode"
  std::vector<Guard> guards;
  uint32_t registerCount = 0;
  std::vector<Buffer> buffers;
  std::vector<Instruction> body;
};

struct Entry {
  std::string name; // "forward"
  std::vector<Symbol> symbols;
  std::vector<Value> arguments;
  std::vector<Value> results;
  std::vector<Variant> variants; // the first whose guards hold is run
};

struct Metadata {
  std::string key;
  std::string value;
};

struct Program {
  std::vector<Parameter> parameters;
  std::vector<Prepared> prepared;
  std::vector<State> states;
  std::vector<Kernel> kernels;
  std::vector<Entry> entries;     // `prepare`, where present, has no arguments
  std::string constants;          // bytes, 64-byte aligned when loaded
  std::vector<Metadata> metadata; // model, compiler, options: provenance
};

/// Checks every index, expression, lifetime and branch target; a program that
/// passes cannot make the executor read or write outside its buffers' declared
/// sizes except through a wrong kernel.
/// Errors: DATA_LOSS, naming entry, variant, instruction and what was expected.
Status verify(const Program &program);

/// A stable little-endian binary form, and back. `parse` verifies, and takes
/// memory in proportion to `size` whatever the bytes say.
/// Errors: DATA_LOSS (truncated, trailing bytes, not verified), UNIMPLEMENTED
///         (another format or TENON_ABI_VERSION).
std::string serialise(const Program &program);
StatusOr<Program> parse(const void *bytes, size_t size);

/// Where each temporary of a variant lies, for given symbol values: offsets in
/// one arena, 64-byte aligned, first fit by decreasing size over lifetimes.
struct MemoryPlan {
  std::vector<int64_t> offsets; // by buffer; -1 unless Temporary
  int64_t arenaBytes = 0;       // the peak
};
StatusOr<MemoryPlan> planMemory(const Variant &variant,
                                const std::vector<int64_t> &symbols);

} // namespace tenon::base
#endif // TENON_BASE_PROGRAM_H
