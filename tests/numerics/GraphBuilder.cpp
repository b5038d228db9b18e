//===- GraphBuilder.cpp - What the steps of a random graph share ----------===//

#include "tests/numerics/GraphBuilder.h"

#include "ir/reference/Rounding.h"

#include <limits>
#include <numeric>

namespace tenon::testing {

using namespace mlir;
using ir::ref::Contract;
using Cache = ir::ref::Cache<Contract>;

static constexpr int64_t kMostElements = 80000; // of a result
static constexpr int64_t kMostRows = 64;        // the symbol T's bound
static constexpr int64_t kRows[] = {1, 2, 3, 5, 8, 19};
static constexpr int64_t kColumns[] = {1,  7,  8,  15,  16,  17,
                                       31, 33, 64, 127, 128, 129};
static constexpr int64_t kWideColumns[] = {256, 513, 4097};

GraphBuilder::GraphBuilder(MLIRContext &context, uint64_t seed, GraphHost host,
                           bool alone)
    : random(seed), builder(&context), host(host), alone(alone),
      tokenCount(pick(kRows)) {
  Location loc = builder.getUnknownLoc();
  graph.module = ModuleOp::create(loc);
  builder.setInsertionPointToEnd(graph.module->getBody());
  graph.func =
      func::FuncOp::create(builder, loc, "f", builder.getFunctionType({}, {}));
  Attribute symbol = ir::SymbolAttr::get(&context, builder.getStringAttr("T"),
                                         1, kMostRows, 1);
  graph.func->setAttr(ir::kSymbolsAttr, builder.getArrayAttr({symbol}));
  builder.setInsertionPointToStart(graph.func.addEntryBlock());
}

RandomGraph GraphBuilder::finish() {
  SmallVector<SsaValue> results;
  for (SsaValue value : llvm::concat<SsaValue>(values, blocked))
    if (value.use_empty() && !isa<BlockArgument>(value))
      results.push_back(value);
  llvm::append_range(results, caches);
  func::ReturnOp::create(builder, builder.getUnknownLoc(), results);
  graph.func.setFunctionType(builder.getFunctionType(
      graph.func.front().getArgumentTypes(), ValueRange(results).getTypes()));
  return std::move(graph);
}

//===----------------------------------------------------------------------===//
// Drawing
//===----------------------------------------------------------------------===//

int64_t GraphBuilder::rows() { return pick(kRows); }

int64_t GraphBuilder::columns() {
  switch (below(16)) {
  case 0:
    return pick(kWideColumns);
  case 1:
  case 2:
  case 3:
    return 1 + below(40);
  default:
    return pick(kColumns);
  }
}

Type GraphBuilder::floatType() {
  Type types[] = {builder.getF32Type(), builder.getF32Type(),
                  builder.getBF16Type(), builder.getF16Type()};
  return pick(types);
}

Type GraphBuilder::valueType() {
  Type types[] = {floatType(), builder.getI32Type(), builder.getI64Type(),
                  builder.getI1Type()};
  return below(2) ? types[0] : pick(types);
}

std::pair<Type, int64_t> GraphBuilder::blockedColumns() {
  using base::ElementType;
  constexpr ElementType formats[] = {
      ElementType::Q8_0,     ElementType::Q4_0, ElementType::Q4_1,
      ElementType::Q5_0,     ElementType::Q5_1, ElementType::Q4_K,
      ElementType::Q5_K,     ElementType::Q6_K, ElementType::Int4_G64,
      ElementType::Int4_G128};
  ElementType format = pick(formats);
  int64_t block = base::info(format).blockElements;
  return {ir::BlockType::get(builder.getContext(), format),
          block * (1 + below(block < 256 ? 5 : 3))};
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

RankedTensorType GraphBuilder::tensor(ArrayRef<int64_t> shape, Type element) {
  SmallVector<StringRef> symbols;
  for (int64_t extent : shape)
    symbols.push_back(ShapedType::isDynamic(extent) ? "T" : "");
  return ir::tensorOf(shape, symbols, element);
}

SmallVector<int64_t> GraphBuilder::extentsOf(RankedTensorType type) {
  SmallVector<int64_t> extents(type.getShape());
  for (int64_t &extent : extents)
    if (ShapedType::isDynamic(extent))
      extent = tokenCount;
  return extents;
}

int64_t GraphBuilder::sizeOf(RankedTensorType type) {
  SmallVector<int64_t> extents = extentsOf(type);
  return std::accumulate(extents.begin(), extents.end(), int64_t{1},
                         std::multiplies<>());
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

SsaValue GraphBuilder::find(llvm::function_ref<bool(SsaValue)> fits) {
  SmallVector<SsaValue> fitting;
  for (SsaValue value : values)
    if (fits(value))
      fitting.push_back(value);
  if (fitting.empty())
    return {};
  int64_t last = fitting.size();
  return fitting[std::max(below(last), below(last))];
}

SsaValue GraphBuilder::findFloat(int64_t leastRank) {
  return find([&](SsaValue value) {
    return isFloat(value) && typeOf(value).getRank() >= leastRank;
  });
}

SsaValue GraphBuilder::wholeBlocks(int64_t leastRank, int64_t elements) {
  SsaValue old = find([&](SsaValue value) {
    RankedTensorType type = typeOf(value);
    return isFloat(value) && type.getRank() >= leastRank &&
           type.getShape().back() > 0 && type.getShape().back() % elements == 0;
  });
  if (old && !alone && below(3))
    return old;
  SmallVector<int64_t> shape = {ShapedType::kDynamic,
                                elements * (1 + below(5))};
  if (below(4) == 0)
    shape.insert(shape.begin() + 1, 2);
  return argument(tensor(shape, floatType()));
}

/// The function's caches stay its last arguments.
SsaValue GraphBuilder::addArgument(Type type, Value value) {
  Block &entry = graph.func.front();
  unsigned at = entry.getNumArguments();
  if (!isa<ir::CacheType>(type))
    at -= caches.size();
  graph.arguments.insert(graph.arguments.begin() + at, std::move(value));
  return entry.insertArgument(at, type, builder.getUnknownLoc());
}

SsaValue GraphBuilder::argument(RankedTensorType type,
                                llvm::function_ref<double()> number) {
  Value value = randomValue(type);
  auto &drawn = std::get<Tensor>(value);
  for (float &element : drawn.floats)
    if (number)
      element = ir::ref::rounded<Contract>(static_cast<float>(number()),
                                           type.getElementType());
  for (int64_t &element : drawn.ints)
    if (number)
      element = static_cast<int64_t>(number());
  values.push_back(addArgument(type, std::move(value)));
  return values.back();
}

SsaValue GraphBuilder::indices(RankedTensorType type, int64_t bound) {
  return argument(type, [&] { return static_cast<double>(below(bound)); });
}

SsaValue GraphBuilder::another(SsaValue like) {
  SsaValue old =
      find([&](SsaValue v) { return v.getType() == like.getType(); });
  return old && below(3) ? old : argument(typeOf(like));
}

SsaValue GraphBuilder::finite(RankedTensorType type) {
  constexpr StringLiteral bounded[] = {"tn.neg", "tn.abs",  "tn.relu",
                                       "tn.sin", "tn.tanh", "tn.silu"};
  SsaValue x = argument(type);
  if (alone || below(2))
    return x;
  Operation *op = add(pick(bounded), x, type);
  return op ? op->getResult(0) : x;
}

Value GraphBuilder::randomValue(RankedTensorType type) {
  return randomTensor(random, type.getElementType(), extentsOf(type));
}

SsaValue GraphBuilder::parameter(RankedTensorType type, Value value) {
  std::string name = "w" + std::to_string(graph.parameters.size());
  graph.parameters[name] = std::get<Tensor>(std::move(value));
  OpBuilder outside(graph.func);
  ir::ParameterOp::create(outside, builder.getUnknownLoc(),
                          builder.getStringAttr(name), TypeAttr::get(type),
                          StringAttr());
  ++opCount;
  return ir::GetParameterOp::create(builder, builder.getUnknownLoc(), type,
                                    name);
}

SsaValue GraphBuilder::weight(RankedTensorType type) {
  Value value = randomValue(type);
  bool isParameter = isProgram() && type.hasStaticShape() && below(2);
  SsaValue made = isParameter ? parameter(type, std::move(value))
                              : addArgument(type, std::move(value));
  if (!isa<ir::BlockType>(type.getElementType()))
    values.push_back(made);
  return made;
}

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

/// Up to three sequences, one after the other or mixed, whose pages are in an
/// order of their own. Without earlier calls, or if they are whole, all of them
/// begin at 0.
ir::ref::Batch GraphBuilder::randomBatch(bool isWhole) {
  constexpr int64_t starts[] = {0, 3, 61, 64, 130, 509};
  int32_t sequences = 1 + below(3);
  bool mixed = below(3) == 0 && !isWhole;
  ir::ref::Batch made;
  SmallVector<int32_t> next;
  for (int32_t s = 0; s < sequences; ++s)
    next.push_back(isProgram() || isWhole ? 0 : pick(starts));
  for (int64_t t = 0; t < tokenCount; ++t) {
    int32_t s = mixed ? below(sequences) : t * sequences / tokenCount;
    made.sequence.push_back(s);
    made.position.push_back(next[s]++);
  }
  made.pageBlocks = 1 + below(3);
  int64_t pageTokens = 64 * made.pageBlocks;
  made.pagesPerSequence =
      (*llvm::max_element(next) + pageTokens - 1) / pageTokens + below(2);
  made.pages.resize(sequences * made.pagesPerSequence);
  std::iota(made.pages.begin(), made.pages.end(), 0);
  std::shuffle(made.pages.begin(), made.pages.end(), random);
  return made;
}

SsaValue GraphBuilder::batch() {
  if (batchValue)
    return batchValue;
  tokens = randomBatch(/*isWhole=*/false);
  return batchValue =
             addArgument(ir::BatchType::get(builder.getContext()), {tokens});
}

SsaValue GraphBuilder::wholeBatch() {
  if (!batchValue) {
    tokens = randomBatch(/*isWhole=*/true);
    batchValue =
        addArgument(ir::BatchType::get(builder.getContext()), {tokens});
  }
  for (size_t t = 0; t < tokens.position.size(); ++t) {
    bool follows = t > 0 && tokens.sequence[t] == tokens.sequence[t - 1] &&
                   tokens.position[t] == tokens.position[t - 1] + 1;
    if (tokens.position[t] != 0 && !follows)
      return {};
  }
  return batchValue;
}

size_t GraphBuilder::newCache(ir::CacheType type) {
  batch();
  Cache made;
  made.element = type.getElementType();
  made.heads = type.getHeads();
  made.width = type.getWidth();
  int64_t stride = made.heads * made.width;
  made.rows.assign(tokens.pages.size() * tokens.pageBlocks * 64 * stride,
                   isProgram() ? 0.0f
                               : std::numeric_limits<float>::quiet_NaN());
  if (isProgram()) {
    OpBuilder outside(graph.func);
    ir::StateOp::create(outside, builder.getUnknownLoc(),
                        builder.getStringAttr("s" + Twine(caches.size())),
                        TypeAttr::get(type), StringAttr(), DenseF64ArrayAttr());
    ++opCount;
  }
  for (size_t t = 0; t < tokens.sequence.size() && !isProgram(); ++t) {
    int64_t count = (tokens.position[t] + 1) * stride;
    Tensor rows = randomTensor(random, made.element, {count});
    for (int64_t i = 0; i < count; ++i)
      made.rows[*tokens.slot(tokens.sequence[t], i / stride) * stride +
                i % stride] = rows.floats[i];
  }
  caches.push_back(addArgument(type, {std::move(made)}));
  return caches.size() - 1;
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

Operation *GraphBuilder::add(StringRef name, ValueRange operands,
                             TypeRange results,
                             ArrayRef<NamedAttribute> attributes) {
  for (Type type : results)
    if (auto tensorType = dyn_cast<RankedTensorType>(type))
      if (sizeOf(tensorType) > kMostElements)
        return nullptr;
  OperationState state(builder.getUnknownLoc(), name);
  state.addOperands(operands);
  state.addTypes(results);
  state.addAttributes(attributes);
  return create(state);
}

Operation *GraphBuilder::create(OperationState &state) {
  Operation *op = builder.create(state);
  ++opCount;
  for (SsaValue result : op->getResults()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    // Packed weights, bytes and caches are for the step that makes them.
    if (!type || isa_and_nonnull<ir::PanelsAttr>(type.getEncoding()))
      continue;
    if (type.getElementType().isInteger(8))
      continue;
    bool isBlocked = isa<ir::BlockType>(type.getElementType());
    (isBlocked ? blocked : values).push_back(result);
  }
  return op;
}

Operation *GraphBuilder::infer(StringRef name, ir::infer::Hook hook,
                               ValueRange operands,
                               ArrayRef<NamedAttribute> attributes,
                               Type element) {
  SmallVector<Type> operandTypes(operands.getTypes()), results;
  ir::infer::Request request;
  request.operands = operandTypes;
  request.attributes = builder.getDictionaryAttr(attributes);
  request.error = [&] { return graph.func->emitError(); };
  if (failed(hook(request, results)))
    return nullptr;
  if (element)
    results.front() =
        ir::withElement(cast<RankedTensorType>(results.front()), element);
  return add(name, operands, results, attributes);
}

void GraphBuilder::fillRegion(
    Region &region, TypeRange arguments,
    llvm::function_ref<SmallVector<SsaValue>(ValueRange arguments)> fill) {
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(&region);
  for (Type type : arguments)
    values.push_back(block->addArgument(type, builder.getUnknownLoc()));
  ++depth;
  SmallVector<SsaValue> yielded = fill(block->getArguments());
  --depth;
  ir::YieldOp::create(builder, builder.getUnknownLoc(), yielded);
  for (SmallVector<SsaValue> *made : {&values, &blocked})
    llvm::erase_if(*made, [&](SsaValue value) {
      return region.isAncestor(value.getParentRegion());
    });
}

} // namespace tenon::testing
