//===- VerifyTest.cpp - Each way a program can be wrong is refused --------===//

#include "tests/runtime/base/SamplePrograms.h"

#include <functional>
#include <gtest/gtest.h>

namespace tenon::base {
namespace {

struct Case {
  const char *name;
  const char *message; // a part of it
  std::function<void(Program &)> damage;
};

Variant &first(Program &p) { return p.entries[0].variants[0]; }

class Verify : public testing::TestWithParam<Case> {};

TEST(VerifySample, IsTaken) {
  Status status = verify(sampleProgram());
  EXPECT_TRUE(status.ok()) << status;
}

TEST_P(Verify, Refuses) {
  Program program = sampleProgram();
  GetParam().damage(program);
  Status status = verify(program);
  EXPECT_EQ(status.code(), TENON_DATA_LOSS);
  EXPECT_NE(status.message().find(GetParam().message), std::string::npos)
      << status;
}

const Case kGlobals[] = {
    {"UnnamedParameter", "every parameter to have a name",
     [](Program &p) { p.parameters[0].name.clear(); }},
    {"EqualEntries", "one entry named 'forward', got two",
     [](Program &p) { p.entries[1].name = "forward"; }},
    {"EqualStates", "one state named 'keys'",
     [](Program &p) { p.states.push_back(p.states[0]); }},
    {"EqualPrepared", "one prepared value named 'packed'",
     [](Program &p) { p.prepared.push_back(p.prepared[0]); }},
    {"ParameterBlocks", "parameter 'weight'",
     [](Program &p) { p.parameters[0].shape = {3}; }},
    {"ParameterAxis", "axes >= 0, got an axis of -1",
     [](Program &p) { p.parameters[0].shape = {-1, 32}; }},
    {"ParameterOverflow", "parameter 'weight'",
     [](Program &p) { p.parameters[0].shape = {INT64_MAX, 32}; }},
    {"PreparedSize", "a size >= 0 bytes, got -1",
     [](Program &p) { p.prepared[0].sizeBytes = -1; }},
    {"StateSize", "a block size >= 0 bytes, got -8",
     [](Program &p) { p.states[0].bytesPerBlock = -8; }},
    {"StateShape",
     "state 'keys': expects a shape of axes >= 0, got an axis of "
     "-2",
     [](Program &p) {
       p.states[0].bytesPerBlock = 0;
       p.states[0].shape = {-2};
     }},
    {"CacheWithSource",
     "state 'keys' expects no shape and no source of a cache",
     [](Program &p) { p.states[0].source = "w"; }},
    {"KernelSymbol", "every kernel to have a symbol",
     [](Program &p) { p.kernels[0].symbol.clear(); }},
    {"KernelScratch", "scratch in [0, 1073741824]",
     [](Program &p) { p.kernels[0].scratchBytes = INT64_MAX; }},
    {"KernelRowReads", "rows of >= 0 bytes from buffers below 2",
     [](Program &p) { p.kernels[0].rowReads[0].index = 2; }},
    {"SymbolRange", "0 <= min <= max",
     [](Program &p) { p.entries[0].symbols[0].min = 513; }},
    {"SymbolDivisor", "a divisor >= 1",
     [](Program &p) { p.entries[0].symbols[0].divisor = 0; }},
    {"EqualSymbols", "one symbol named 'T'",
     [](Program &p) { p.entries[0].symbols[1].name = "T"; }},
    {"ArgumentShape", "argument 'x' axis 1",
     [](Program &p) {
       p.entries[0].arguments[0].type.shape[1] = Expr::symbol(9);
     }},
    {"ResultShape", "result 'y' axis 0",
     [](Program &p) { p.entries[0].results[0].type.shape[0] = Expr(); }},
    {"ShapeOfRegisters", "argument 'x' axis 0",
     [](Program &p) {
       p.entries[0].arguments[0].type.shape[0] = Expr::reg(0);
     }},
    {"PrepareArguments", "entry 'prepare': expects no arguments",
     [](Program &p) {
       p.entries[1].arguments = {{"x", {ElementType::I32, {number(1)}}}};
     }},
    {"NoVariant", "at least one variant",
     [](Program &p) { p.entries[0].variants.clear(); }},
};

const Case kBuffers[] = {
    {"Kind", "a known kind, got 99",
     [](Program &p) {
       first(p).buffers[0].kind = static_cast<BufferKind>(99);
     }},
    {"ArgumentIndex", "an index below 1, got 1",
     [](Program &p) { first(p).buffers[0].index = 1; }},
    {"StateIndex", "an index below 1, got 5",
     [](Program &p) { first(p).buffers[6].index = 5; }},
    {"ConstantIndex", "an index below 65, got 66",
     [](Program &p) { first(p).buffers[4].index = 66; }},
    {"ConstantSize", "a constant size of at most 32 bytes, got 33",
     [](Program &p) { first(p).buffers[4].sizeBytes = number(33); }},
    {"ParameterSize", "at most 272 bytes, got 273",
     [](Program &p) { first(p).buffers[5].sizeBytes = number(273); }},
    {"PreparedSymbolicSize", "at most 512 bytes, got s0",
     [](Program &p) { first(p).buffers[3].sizeBytes = Expr::symbol(0); }},
    {"NegativeSize", "a constant size",
     [](Program &p) { first(p).buffers[3].sizeBytes = number(-1); }},
    {"SizeOfRegisters", "a size over the entry's symbols",
     [](Program &p) { first(p).buffers[2].sizeBytes = Expr::reg(0); }},
    {"LifetimeEnd", "a lifetime inside [0, 8), got [0, 8]",
     [](Program &p) { first(p).buffers[2].lastUse = 8; }},
    {"LifetimeOrder", "a lifetime inside",
     [](Program &p) { first(p).buffers[2].firstUse = 8; }},
    {"UseOutsideLifetime", "buffer 2 'value' outside its lifetime [3, 7]",
     [](Program &p) { first(p).buffers[2].firstUse = 3; }},
    {"LoopCarried", "live inside or through the loop [1, 5], got [0, 3]",
     [](Program &p) { first(p).buffers[2].lastUse = 3; }},
    {"TooMany", "at most 32768 buffers",
     [](Program &p) { first(p).buffers.resize(40000, first(p).buffers[0]); }},
};

const Case kInstructions[] = {
    {"Guard", "guards min <= max on known symbols",
     [](Program &p) { first(p).guards[0].symbol = 2; }},
    {"GuardRange", "guards min <= max",
     [](Program &p) { first(p).guards[0].min = 600; }},
    {"Registers", "at most 4096 registers",
     [](Program &p) { first(p).registerCount = 5000; }},
    {"EmptyBody", "a body that ends in return or branch",
     [](Program &p) { p.entries[1].variants[0].body.clear(); }},
    {"OpenEnd", "a body that ends in return or branch",
     [](Program &p) { first(p).body.pop_back(); }},
    {"Opcode", "a known opcode, got 77",
     [](Program &p) { first(p).body[0].op = static_cast<Opcode>(77); }},
    {"Kernel", "a kernel below 1, got 1",
     [](Program &p) { first(p).body[1].kernel = 1; }},
    {"LaunchBuffers", "2 buffers, got 1",
     [](Program &p) { first(p).body[1].buffers.pop_back(); }},
    {"LaunchDims", "1 dims, got 0",
     [](Program &p) { first(p).body[1].exprs.clear(); }},
    {"LaunchTiles", "a tile count over symbols and registers",
     [](Program &p) { first(p).body[1].tiles = Expr::reg(2); }},
    {"BufferNumber", "a buffer below 7, got 7",
     [](Program &p) { first(p).body[1].buffers[0] = 7; }},
    {"CopyArity", "2 buffers, got 3",
     [](Program &p) { first(p).body[2].buffers.push_back(0); }},
    {"CopyToArgument", "memory the entry may write",
     [](Program &p) { first(p).body[2].buffers[1] = 0; }},
    {"CopyToParameter", "memory the entry may write",
     [](Program &p) { first(p).body[2].buffers[1] = 5; }},
    {"CopyToConstant", "memory the entry may write",
     [](Program &p) { first(p).body[2].buffers[1] = 4; }},
    {"CopyToPrepared", "memory the entry may write",
     [](Program &p) { first(p).body[2].buffers[1] = 3; }},
    {"SetArity", "1 expressions, got 0",
     [](Program &p) { first(p).body[0].exprs.clear(); }},
    {"SetRegister", "a register below 2, got 2",
     [](Program &p) { first(p).body[0].reg = 2; }},
    {"SetExpression", "expressions over symbols and registers",
     [](Program &p) { first(p).body[0].exprs[0] = Expr(); }},
    {"LoadRegister", "a register below 2, got 3",
     [](Program &p) { first(p).body[3].reg = 3; }},
    {"LoadElement", "integer elements, got f32",
     [](Program &p) { first(p).buffers[2].element = ElementType::F32; }},
    {"StoreElement", "integer elements, got f32",
     [](Program &p) {
       first(p).body[0] =
           instruction(Opcode::Store, {2}, {number(0), number(1)});
       first(p).buffers[2].element = ElementType::F32;
     }},
    {"StoreToArgument", "store into a temporary",
     [](Program &p) {
       first(p).body[0] =
           instruction(Opcode::Store, {0}, {number(0), number(1)});
     }},
    {"EmitElement", "integer elements, got i64",
     [](Program &p) { first(p).buffers[1].element = ElementType::I64; }},
    {"Target", "a target below 8, got 8",
     [](Program &p) { first(p).body[5].target = 8; }},
    {"Path", "entry 'forward' variant 'any': instruction 5",
     [](Program &p) { first(p).body[5].target = 8; }},
};

std::string nameOf(const testing::TestParamInfo<Case> &info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Globals, Verify, testing::ValuesIn(kGlobals), nameOf);
INSTANTIATE_TEST_SUITE_P(Buffers, Verify, testing::ValuesIn(kBuffers), nameOf);
INSTANTIATE_TEST_SUITE_P(Instructions, Verify, testing::ValuesIn(kInstructions),
                         nameOf);

} // namespace
} // namespace tenon::base
