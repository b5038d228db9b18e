//===- Serialise.cpp - A program as bytes, and back -----------------------===//
//
// One description serves both ways: `fields(archive, x)` lists the members of a
// struct in stored order, and a Writer or a Reader walks it. Lists are a u32
// count and their items, and grow as items are read, so that a count alone
// cannot make the reader allocate.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Program.h"
#include "tenon/abi.h"

#include <cstring>
#include <type_traits>

namespace tenon::base {
namespace {

constexpr uint32_t kFormat = 4; // of this encoding

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "numbers are stored as they lie in memory");

template <typename T>
concept Plain = std::is_arithmetic_v<T> || std::is_enum_v<T>;

class Writer {
public:
  template <Plain T> void operator()(T &value) {
    out.append(reinterpret_cast<const char *>(&value), sizeof(T));
  }
  void operator()(std::string &text) {
    size(text.size());
    out.append(text);
  }
  template <typename T> void operator()(std::vector<T> &items) {
    size(items.size());
    for (T &item : items)
      one(item);
  }
  template <typename T>
    requires(!Plain<T>)
  void operator()(T &value) {
    fields(*this, value);
  }
  std::string take() { return std::move(out); }

private:
  void size(size_t count) {
    auto stored = static_cast<uint32_t>(count);
    (*this)(stored);
  }
  template <typename T> void one(T &item) { (*this)(item); }

  std::string out;
};

class Reader {
public:
  Reader(const void *bytes, size_t size)
      : next(static_cast<const char *>(bytes)), left(size) {}

  template <Plain T> void operator()(T &value) {
    if (!has(sizeof(T)))
      return;
    std::memcpy(&value, next, sizeof(T));
    skip(sizeof(T));
  }
  void operator()(std::string &text) {
    uint32_t count = size(1);
    if (!has(count))
      return;
    text.assign(next, count);
    skip(count);
  }
  template <typename T> void operator()(std::vector<T> &items) {
    // No reserve: the count is a stranger's, the items' bytes are there.
    uint32_t count = size(Plain<T> ? sizeof(T) : 4);
    for (uint32_t i = 0; i < count && intact; ++i)
      (*this)(items.emplace_back());
  }
  template <typename T>
    requires(!Plain<T>)
  void operator()(T &value) {
    fields(*this, value);
  }
  // Enumerators are checked here: the verifier looks their tables up.
  void operator()(ElementType &type) {
    uint8_t number = 0;
    (*this)(number);
    intact = intact && number < allElementTypes().size();
    type = intact ? static_cast<ElementType>(number) : ElementType::F32;
  }

  bool ok() const { return intact; }
  size_t remaining() const { return left; }

private:
  bool has(size_t bytes) { return intact = intact && bytes <= left; }
  void skip(size_t bytes) {
    next += bytes;
    left -= bytes;
  }
  uint32_t size(size_t itemBytes) {
    uint32_t count = 0;
    (*this)(count);
    intact = intact && count <= left / itemBytes;
    return intact ? count : 0;
  }

  const char *next;
  size_t left;
  bool intact = true;
};

template <typename... Members, typename Archive>
void all(Archive &archive, Members &...members) {
  (archive(members), ...);
}

template <typename A> void fields(A &a, Expr::Term &x) {
  all(a, x.op, x.value);
}
template <typename A> void fields(A &a, Expr &x) { a(x.terms); }
template <typename A> void fields(A &a, Symbol &x) {
  all(a, x.name, x.min, x.max, x.divisor);
}
template <typename A> void fields(A &a, TensorType &x) {
  all(a, x.element, x.shape);
}
template <typename A> void fields(A &a, Value &x) { all(a, x.name, x.type); }
template <typename A> void fields(A &a, Parameter &x) {
  all(a, x.name, x.source, x.element, x.shape);
}
template <typename A> void fields(A &a, Prepared &x) {
  all(a, x.name, x.sizeBytes);
}
template <typename A> void fields(A &a, State &x) {
  all(a, x.name, x.element, x.bytesPerBlock, x.source, x.shape, x.mean,
      x.deviation);
}
template <typename A> void fields(A &a, Buffer &x) {
  all(a, x.kind, x.index, x.name, x.element, x.sizeBytes, x.firstUse,
      x.lastUse);
}
template <typename A> void fields(A &a, KernelLocation &x) {
  all(a, x.op, x.source);
}
template <typename A> void fields(A &a, RowRead &x) {
  all(a, x.table, x.index, x.rowBytes);
}
template <typename A> void fields(A &a, Kernel &x) {
  all(a, x.symbol, x.label, x.scratchBytes, x.bufferCount, x.dimCount, x.ops,
      x.notFused, x.locations, x.rowReads);
}
template <typename A> void fields(A &a, Instruction &x) {
  all(a, x.op, x.kernel, x.reg, x.target, x.buffers, x.exprs, x.tiles, x.label);
}
template <typename A> void fields(A &a, Guard &x) {
  all(a, x.symbol, x.min, x.max);
}
template <typename A> void fields(A &a, Variant &x) {
  all(a, x.name, x.guards, x.registerCount, x.buffers, x.body);
}
template <typename A> void fields(A &a, Entry &x) {
  all(a, x.name, x.symbols, x.arguments, x.results, x.variants);
}
template <typename A> void fields(A &a, Metadata &x) { all(a, x.key, x.value); }
template <typename A> void fields(A &a, Program &x) {
  all(a, x.parameters, x.prepared, x.states, x.kernels, x.entries, x.constants,
      x.metadata);
}

} // namespace

std::string serialise(const Program &program) {
  Writer writer;
  uint32_t format = kFormat, abi = TENON_ABI_VERSION;
  all(writer, format, abi);
  // One `fields` serves both directions; the writer changes nothing.
  writer(const_cast<Program &>(program));
  return writer.take();
}

StatusOr<Program> parse(const void *bytes, size_t size) {
  Reader reader(bytes, size);
  uint32_t format = 0, abi = 0;
  all(reader, format, abi);
  if (!reader.ok())
    return dataLoss("expects a program, got ", size, " bytes");
  if (format != kFormat || abi != TENON_ABI_VERSION)
    return unimplemented("expects a program of format ", kFormat, " and ABI ",
                         TENON_ABI_VERSION, ", got ", format, " and ", abi);
  Program program;
  reader(program);
  if (!reader.ok())
    return dataLoss("expects a whole program, got one cut short or damaged ",
                    reader.remaining(), " bytes before its end");
  if (reader.remaining() != 0)
    return dataLoss("expects nothing after the program, got ",
                    reader.remaining(), " bytes");
  TENON_RETURN_IF_ERROR(verify(program));
  return program;
}

} // namespace tenon::base
