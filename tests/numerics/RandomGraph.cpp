//===- RandomGraph.cpp - Seeded random tn functions -----------------------===//

#include "tests/numerics/RandomGraph.h"

#include "ir/tn/Infer.h"

#include "mlir/IR/Verifier.h"

namespace tenon::testing {

using namespace mlir;
using SsaValue = mlir::Value;

namespace {

constexpr int64_t kMostElements = 12000; // of a tensor
constexpr int64_t kRows[] = {1, 2, 3, 5, 8, 19};
constexpr int64_t kColumns[] = {1, 7, 8, 15, 16, 17, 31, 33, 64, 127, 128, 129};
constexpr StringLiteral kUnary[] = {
    "tn.neg",     "tn.abs",  "tn.exp",      "tn.log",  "tn.sin",
    "tn.cos",     "tn.tanh", "tn.sqrt",     "tn.relu", "tn.rsqrt",
    "tn.sigmoid", "tn.silu", "tn.gelu_tanh"};
constexpr StringLiteral kBinary[] = {"tn.add", "tn.sub", "tn.mul",
                                     "tn.div", "tn.max", "tn.min"};

class Generator {
public:
  Generator(MLIRContext &context, uint64_t seed);
  RandomGraph generate();

private:
  using Step = bool (Generator::*)();

  // One op each; false where no value fits it.
  bool unary();
  bool binary();
  bool compareAndSelect();
  bool logical();
  bool cast();
  bool norm();
  bool softmax();
  bool reduce();
  bool sumRows();
  bool matmul();
  bool blockedMatmul();
  bool transpose();
  bool slice();
  bool reshape();
  bool broadcast();
  bool concat();
  bool iota();
  bool gather();
  bool takeAlong();
  bool topK();
  bool argmax();

  int64_t below(int64_t n) { return static_cast<int64_t>(random() % n); }
  template <typename T, size_t N> T pick(const T (&from)[N]) {
    return from[below(N)];
  }
  Type floatType();
  RankedTensorType typeOf(SsaValue value) {
    return ::mlir::cast<RankedTensorType>(value.getType());
  }
  bool isFloat(SsaValue value) {
    return isa<FloatType>(typeOf(value).getElementType());
  }
  /// A value that satisfies `fits`, or null; later ones are likelier.
  SsaValue find(llvm::function_ref<bool(SsaValue)> fits);
  SsaValue findFloat(int64_t leastRank);
  SmallVector<int64_t> extentsOf(RankedTensorType type);
  int64_t sizeOf(RankedTensorType type);

  /// A new argument: random, or integers in [0, bound).
  SsaValue argument(RankedTensorType type, int64_t bound = 0);
  SsaValue argumentOf(ArrayRef<int64_t> shape, Type element) {
    return argument(RankedTensorType::get(shape, element));
  }
  /// Another value of the type, new or old.
  SsaValue another(SsaValue like);
  SsaValue add(StringRef name, ValueRange operands, TypeRange results,
               ArrayRef<NamedAttribute> attributes = {});
  bool infer(StringRef name, ir::infer::Hook hook, ValueRange operands,
             ArrayRef<NamedAttribute> attributes = {});
  NamedAttribute i64(StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  }
  void finish();

  Random random;
  OpBuilder builder;
  RandomGraph graph;
  SmallVector<SsaValue> values;
  int64_t tokens; // the value of the symbol T
};

Generator::Generator(MLIRContext &context, uint64_t seed)
    : random(seed), builder(&context), tokens(pick(kRows)) {
  Location loc = builder.getUnknownLoc();
  graph.module = ModuleOp::create(loc);
  builder.setInsertionPointToEnd(graph.module->getBody());
  graph.func =
      func::FuncOp::create(builder, loc, "f", builder.getFunctionType({}, {}));
  Attribute symbol =
      ir::SymbolAttr::get(&context, builder.getStringAttr("T"), 1, 64, 1);
  graph.func->setAttr(ir::kSymbolsAttr, builder.getArrayAttr({symbol}));
  builder.setInsertionPointToStart(graph.func.addEntryBlock());
}

Type Generator::floatType() {
  Type types[] = {builder.getF32Type(), builder.getF32Type(),
                  builder.getBF16Type(), builder.getF16Type()};
  return pick(types);
}

SsaValue Generator::find(llvm::function_ref<bool(SsaValue)> fits) {
  SmallVector<SsaValue> fitting;
  for (SsaValue value : values)
    if (fits(value))
      fitting.push_back(value);
  if (fitting.empty())
    return {};
  int64_t last = fitting.size();
  return fitting[std::max(below(last), below(last))];
}

SsaValue Generator::findFloat(int64_t leastRank) {
  return find([&](SsaValue value) {
    return isFloat(value) && typeOf(value).getRank() >= leastRank;
  });
}

SmallVector<int64_t> Generator::extentsOf(RankedTensorType type) {
  SmallVector<int64_t> extents(type.getShape());
  for (int64_t &extent : extents)
    if (ShapedType::isDynamic(extent))
      extent = tokens;
  return extents;
}

int64_t Generator::sizeOf(RankedTensorType type) {
  int64_t size = 1;
  for (int64_t extent : extentsOf(type))
    size *= extent;
  return size;
}

SsaValue Generator::argument(RankedTensorType type, int64_t bound) {
  Tensor tensor = randomTensor(random, type.getElementType(), extentsOf(type));
  for (int64_t &value : tensor.ints)
    if (bound > 0)
      value = below(bound);
  graph.arguments.push_back({std::move(tensor)});
  SsaValue value =
      graph.func.front().addArgument(type, builder.getUnknownLoc());
  values.push_back(value);
  return value;
}

SsaValue Generator::another(SsaValue like) {
  SsaValue old =
      find([&](SsaValue v) { return v.getType() == like.getType(); });
  return below(3) ? old : argument(typeOf(like));
}

SsaValue Generator::add(StringRef name, ValueRange operands, TypeRange results,
                        ArrayRef<NamedAttribute> attributes) {
  OperationState state(builder.getUnknownLoc(), name);
  state.addOperands(operands);
  state.addTypes(results);
  state.addAttributes(attributes);
  Operation *op = builder.create(state);
  for (SsaValue result : op->getResults())
    values.push_back(result);
  return op->getResult(0);
}

/// Adds an op whose result types a hook infers.
bool Generator::infer(StringRef name, ir::infer::Hook hook, ValueRange operands,
                      ArrayRef<NamedAttribute> attributes) {
  SmallVector<Type> operandTypes(operands.getTypes()), results;
  ir::infer::Request request;
  request.operands = operandTypes;
  request.attributes = builder.getDictionaryAttr(attributes);
  request.error = [&] { return graph.func->emitError(); };
  if (failed(hook(request, results)))
    return false;
  add(name, operands, results, attributes);
  return true;
}

bool Generator::unary() {
  SsaValue x = findFloat(0);
  return x && add(pick(kUnary), x, x.getType());
}

bool Generator::binary() {
  SsaValue x = find(
      [&](SsaValue v) { return !typeOf(v).getElementType().isInteger(1); });
  return x && add(pick(kBinary), {x, another(x)}, x.getType());
}

bool Generator::compareAndSelect() {
  SsaValue x = findFloat(0);
  if (!x)
    return false;
  auto predicate = builder.getNamedAttr(
      "predicate",
      ir::PredicateAttr::get(builder.getContext(),
                             static_cast<ir::Predicate>(below(6))));
  SsaValue y = another(x);
  Type i1 = builder.getI1Type();
  SsaValue condition =
      add("tn.compare", {x, y}, ir::withElement(typeOf(x), i1), predicate);
  return add("tn.select", {condition, y, another(x)}, x.getType()) != nullptr;
}

bool Generator::logical() {
  SsaValue x =
      find([&](SsaValue v) { return typeOf(v).getElementType().isInteger(1); });
  return x && add(below(2) ? "tn.and" : "tn.or", {x, another(x)}, x.getType());
}

bool Generator::cast() {
  SsaValue x = find([](SsaValue) { return true; });
  Type to[] = {builder.getF32Type(), builder.getBF16Type(),
               builder.getF16Type(), builder.getI32Type(),
               builder.getI64Type(), builder.getI1Type()};
  return x && add("tn.cast", x, ir::withElement(typeOf(x), pick(to)));
}

bool Generator::norm() {
  SsaValue x = findFloat(1);
  if (!x || typeOf(x).isDynamicDim(typeOf(x).getRank() - 1))
    return false;
  SsaValue w = argumentOf(typeOf(x).getShape().back(), floatType());
  auto eps = builder.getNamedAttr("eps", builder.getF64FloatAttr(1e-5));
  if (below(2))
    return add("tn.rms_norm", {x, w}, x.getType(), eps) != nullptr;
  return add("tn.layer_norm", {x, w, another(w)}, x.getType(), eps) != nullptr;
}

bool Generator::softmax() {
  SsaValue x = findFloat(1);
  return x && add(below(2) ? "tn.softmax" : "tn.log_softmax", x, x.getType());
}

bool Generator::reduce() {
  SsaValue x = findFloat(1);
  auto kind = builder.getNamedAttr(
      "kind", ir::ReductionAttr::get(builder.getContext(),
                                     static_cast<ir::Reduction>(below(3))));
  return x && infer("tn.reduce", ir::infer::reduce, x, kind);
}

bool Generator::sumRows() {
  SsaValue x =
      find([&](SsaValue v) { return isFloat(v) && typeOf(v).getRank() == 2; });
  return x && infer("tn.sum_rows", ir::infer::sumRows, x);
}

bool Generator::matmul() {
  SsaValue a = findFloat(2);
  if (!a || typeOf(a).isDynamicDim(typeOf(a).getRank() - 1))
    return false;
  int64_t k = typeOf(a).getShape().back(), n = pick(kColumns);
  SmallVector<NamedAttribute> flags;
  bool transposed = below(2);
  if (transposed)
    flags.push_back(builder.getNamedAttr("transpose_b", builder.getUnitAttr()));
  SsaValue b =
      argumentOf(transposed ? ArrayRef<int64_t>{n, k} : ArrayRef<int64_t>{k, n},
                 floatType());
  SmallVector<SsaValue> operands = {a, b};
  if (below(2))
    operands.push_back(argumentOf(n, floatType()));
  return infer("tn.matmul", ir::infer::matmul, operands, flags);
}

bool Generator::blockedMatmul() {
  SsaValue a = find([&](SsaValue v) {
    RankedTensorType type = typeOf(v);
    return isFloat(v) && type.getRank() >= 2 && type.getShape().back() > 0 &&
           type.getShape().back() % 32 == 0;
  });
  if (!a)
    return false;
  base::ElementType formats[] = {base::ElementType::Q8_0,
                                 base::ElementType::Q4_0,
                                 base::ElementType::Q5_0};
  base::ElementType format = pick(formats);
  int64_t k = typeOf(a).getShape().back(), n = pick(kColumns);
  auto type = RankedTensorType::get(
      {n, k}, ir::BlockType::get(builder.getContext(), format));
  Tensor weight = randomTensor(random, type.getElementType(), {n, k});
  std::string bytes(*base::sizeBytes(format, n * k), '\0');
  (void)base::pack(format, weight.floats.data(), n * k, bytes.data());
  (void)base::unpack(format, bytes.data(), n * k, weight.floats.data());
  graph.arguments.push_back({std::move(weight), std::move(bytes)});
  SsaValue b = graph.func.front().addArgument(type, builder.getUnknownLoc());
  return infer("tn.matmul", ir::infer::matmul, {a, b},
               builder.getNamedAttr("transpose_b", builder.getUnitAttr()));
}

bool Generator::transpose() {
  SsaValue x = find([&](SsaValue v) { return typeOf(v).getRank() >= 2; });
  if (!x)
    return false;
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, typeOf(x).getRank()));
  std::shuffle(axes.begin(), axes.end(), random);
  return infer(
      "tn.transpose", ir::infer::transpose, x,
      builder.getNamedAttr("permutation", builder.getDenseI64ArrayAttr(axes)));
}

bool Generator::slice() {
  SsaValue x = find([&](SsaValue v) {
    return typeOf(v).getRank() >= 1 && typeOf(v).getShape().back() > 1;
  });
  if (!x)
    return false;
  int64_t axis = typeOf(x).getRank() - 1;
  int64_t extent = typeOf(x).getShape().back();
  int64_t step = 1 + below(2), offset = below(extent);
  int64_t size = 1 + below((extent - 1 - offset) / step + 1);
  return infer("tn.slice", ir::infer::slice, x,
               {i64("axis", axis), i64("offset", offset), i64("size", size),
                i64("step", step)});
}

/// Splits the last axis, or joins the last two.
bool Generator::reshape() {
  SsaValue x = find([&](SsaValue v) {
    return typeOf(v).getRank() >= 1 && typeOf(v).getShape().back() > 0;
  });
  if (!x)
    return false;
  RankedTensorType type = typeOf(x);
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<StringRef> symbols;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    symbols.push_back(ir::symbolOf(type, axis));
  int64_t last = shape.pop_back_val();
  if (!shape.empty() && shape.back() > 0 && below(2)) {
    shape.back() *= last;
    symbols.pop_back();
  } else {
    int64_t inner = last % 8 == 0 ? 8 : 1;
    shape.append({last / inner, inner});
    symbols.push_back("");
  }
  return add("tn.reshape", x,
             ir::tensorOf(shape, symbols, type.getElementType())) != nullptr;
}

/// Repeats along a new leading axis.
bool Generator::broadcast() {
  SsaValue x = find([&](SsaValue v) {
    return typeOf(v).getRank() <= 2 && sizeOf(typeOf(v)) * 3 < kMostElements;
  });
  if (!x)
    return false;
  RankedTensorType type = typeOf(x);
  SmallVector<int64_t> shape = {2 + below(2)};
  SmallVector<StringRef> symbols = {""};
  llvm::append_range(shape, type.getShape());
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    symbols.push_back(ir::symbolOf(type, axis));
  return add("tn.broadcast", x,
             ir::tensorOf(shape, symbols, type.getElementType())) != nullptr;
}

bool Generator::concat() {
  SsaValue x = find([&](SsaValue v) {
    return typeOf(v).getRank() >= 1 && typeOf(v).getShape().back() > 0 &&
           sizeOf(typeOf(v)) * 2 < kMostElements;
  });
  return x && infer("tn.concat", ir::infer::concat, {x, another(x)},
                    i64("axis", typeOf(x).getRank() - 1));
}

bool Generator::iota() {
  auto type = RankedTensorType::get({pick(kRows), pick(kColumns)},
                                    below(2) ? builder.getI32Type()
                                             : builder.getI64Type());
  return add("tn.iota", {}, type, i64("axis", below(2))) != nullptr;
}

bool Generator::gather() {
  int64_t rows = pick(kColumns);
  SsaValue table = argumentOf({rows, pick(kColumns)}, floatType());
  SsaValue index = argument(
      ir::tensorOf(ShapedType::kDynamic, StringRef("T"), builder.getI32Type()),
      rows);
  return infer("tn.gather", ir::infer::gather, {table, index});
}

bool Generator::takeAlong() {
  SsaValue x =
      find([&](SsaValue v) { return isFloat(v) && typeOf(v).getRank() == 2; });
  if (!x || typeOf(x).isDynamicDim(1))
    return false;
  RankedTensorType type = typeOf(x);
  auto indices =
      ir::tensorOf({type.getDimSize(0), 3},
                   {ir::symbolOf(type, 0), StringRef()}, builder.getI32Type());
  return infer("tn.take_along", ir::infer::takeAlong,
               {x, argument(indices, type.getDimSize(1))});
}

/// Routing ops fail at NaN, so they get what has none.
bool Generator::topK() {
  SsaValue x =
      argument(ir::tensorOf({ShapedType::kDynamic, pick(kColumns)},
                            {StringRef("T"), StringRef()}, floatType()));
  int64_t most = std::min<int64_t>(typeOf(x).getShape().back(), 9);
  return infer("tn.top_k", ir::infer::topK, x, i64("k", 1 + below(most)));
}

bool Generator::argmax() {
  SsaValue x =
      argument(ir::tensorOf({ShapedType::kDynamic, pick(kColumns)},
                            {StringRef("T"), StringRef()}, floatType()));
  return infer("tn.argmax", ir::infer::argmax, x);
}

void Generator::finish() {
  SmallVector<SsaValue> unused;
  for (SsaValue value : values)
    if (value.use_empty() && !isa<BlockArgument>(value))
      unused.push_back(value);
  func::ReturnOp::create(builder, builder.getUnknownLoc(), unused);
  graph.func.setFunctionType(builder.getFunctionType(
      graph.func.front().getArgumentTypes(), ValueRange(unused).getTypes()));
}

RandomGraph Generator::generate() {
  // Pointwise steps stand more often: they are what fuses.
  constexpr Step steps[] = {
      &Generator::unary,        &Generator::unary,
      &Generator::unary,        &Generator::binary,
      &Generator::binary,       &Generator::binary,
      &Generator::cast,         &Generator::compareAndSelect,
      &Generator::logical,      &Generator::norm,
      &Generator::norm,         &Generator::softmax,
      &Generator::reduce,       &Generator::sumRows,
      &Generator::matmul,       &Generator::matmul,
      &Generator::transpose,    &Generator::slice,
      &Generator::reshape,      &Generator::broadcast,
      &Generator::concat,       &Generator::iota,
      &Generator::gather,       &Generator::takeAlong,
      &Generator::topK,         &Generator::argmax,
      &Generator::blockedMatmul};
  argument(ir::tensorOf({ShapedType::kDynamic, pick(kColumns)},
                        {StringRef("T"), StringRef()}, floatType()));
  argumentOf({pick(kRows), pick(kColumns)}, floatType());
  auto ops = [&] { return graph.func.front().getOperations().size(); };
  size_t wanted = 5 + below(35);
  while (ops() < wanted)
    (this->*pick(steps))();
  finish();
  return std::move(graph);
}

} // namespace

RandomGraph makeRandomGraph(MLIRContext &context, uint64_t seed) {
  return Generator(context, seed).generate();
}

} // namespace tenon::testing
