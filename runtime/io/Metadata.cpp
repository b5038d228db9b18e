//===- Metadata.cpp - Typed values by name, from GGUF or JSON -------------===//

#include "runtime/io/Metadata.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace tenon::io {

namespace {

template <typename T> T load(const uint8_t *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

template <typename T> void append(std::string &out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

std::string describe(const Value &value) {
  static constexpr std::string_view names[] = {
      "a boolean", "an integer", "an unsigned integer", "a float", "a string"};
  if (const auto *array = std::get_if<ArrayView>(&value))
    return concat("an array of ", array->count, " ",
                  valueTypeName(array->element));
  return std::string(names[value.index()]);
}

bool isInteger(ValueType type) {
  return type != ValueType::F32 && type != ValueType::F64 &&
         valueTypeSize(type) != 0;
}

// Decodes one integer; false for a u64 that int64_t cannot hold.
bool loadInt(ValueType type, const uint8_t *at, int64_t &out) {
  switch (type) {
  case ValueType::U8:
  case ValueType::Bool:
    out = *at;
    return true;
  case ValueType::I8:
    out = load<int8_t>(at);
    return true;
  case ValueType::U16:
    out = load<uint16_t>(at);
    return true;
  case ValueType::I16:
    out = load<int16_t>(at);
    return true;
  case ValueType::U32:
    out = load<uint32_t>(at);
    return true;
  case ValueType::I32:
    out = load<int32_t>(at);
    return true;
  default:
    out = load<int64_t>(at);
    return type == ValueType::I64 || out >= 0;
  }
}

} // namespace

std::string_view valueTypeName(ValueType type) {
  static constexpr std::string_view names[] = {
      "u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
      "bool", "string", "array", "u64", "i64", "f64"};
  auto index = static_cast<size_t>(type);
  return index < std::size(names) ? names[index] : "unknown";
}

size_t valueTypeSize(ValueType type) {
  static constexpr size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  auto index = static_cast<size_t>(type);
  return index < std::size(sizes) ? sizes[index] : 0;
}

bool Metadata::add(std::string_view key, Value value) {
  return values.emplace(std::string(key), value).second;
}

void Metadata::addJson(const Json &object, const std::string &prefix) {
  if (!object.is_object())
    return;
  for (const auto &[key, value] : object.items()) {
    std::string path = prefix.empty() ? key : prefix + "." + key;
    if (value.is_object())
      addJson(value, path);
    else if (value.is_array())
      addJsonArray(path, value);
    else if (value.is_boolean())
      add(path, *value.get_ptr<const bool *>());
    else if (value.is_number_unsigned())
      add(path, *value.get_ptr<const uint64_t *>());
    else if (value.is_number_integer())
      add(path, *value.get_ptr<const int64_t *>());
    else if (value.is_number_float())
      add(path, *value.get_ptr<const double *>());
    else if (const std::string *text = textOf(&value))
      add(path, std::string_view(owned.emplace_back(*text)));
  }
}

void Metadata::addJsonArray(const std::string &key, const Json &array) {
  auto all = [&](auto predicate) {
    return std::all_of(array.begin(), array.end(), predicate);
  };
  // Kept in GGUF's encoding, so that the getters know one form only.
  std::string bytes;
  ValueType element = ValueType::String;
  int64_t number = 0;
  constexpr int64_t most = std::numeric_limits<int64_t>::max();
  if (all([](const Json &v) { return v.is_string(); })) {
    for (const Json &v : array) {
      const std::string &text = *textOf(&v);
      append<uint64_t>(bytes, text.size());
      bytes += text;
    }
  } else if (all([&](const Json &v) {
               return readInt(&v, -most, most, number);
             })) {
    element = ValueType::I64;
    for (const Json &v : array) {
      readInt(&v, -most, most, number);
      append(bytes, number);
    }
  } else if (all([](const Json &v) { return v.is_number(); })) {
    element = ValueType::F64;
    for (const Json &v : array)
      append(bytes, v.get<double>()); // Of a number: cannot throw.
  } else if (all([](const Json &v) { return v.is_boolean(); })) {
    element = ValueType::Bool;
    for (const Json &v : array)
      append<uint8_t>(bytes, boolOr(&v, false));
  } else {
    return;
  }
  const std::string &kept = owned.emplace_back(std::move(bytes));
  add(key,
      ArrayView{element,
                array.size(),
                {reinterpret_cast<const uint8_t *>(kept.data()), kept.size()}});
}

const Value *Metadata::find(std::string_view key) const {
  auto it = values.find(key);
  return it == values.end() ? nullptr : &it->second;
}

std::vector<std::string_view> Metadata::keys() const {
  std::vector<std::string_view> all;
  all.reserve(values.size());
  for (const auto &[key, value] : values)
    all.push_back(key);
  return all;
}

Status Metadata::missing(std::string_view key) const {
  return notFound(name, ": expects a value for \"", key, "\", got none");
}

Status Metadata::wrongType(std::string_view key, std::string_view expected,
                           const Value &got) const {
  return invalidArgument(name, ": expects \"", key, "\" to be ", expected,
                         ", got ", describe(got));
}

StatusOr<bool> Metadata::getBool(std::string_view key,
                                 std::optional<bool> fallback) const {
  const Value *value = find(key);
  if (!value)
    return fallback ? StatusOr<bool>(*fallback) : missing(key);
  if (const bool *flag = std::get_if<bool>(value))
    return *flag;
  return wrongType(key, "a boolean", *value);
}

StatusOr<int64_t> Metadata::getInt(std::string_view key,
                                   std::optional<int64_t> fallback) const {
  const Value *value = find(key);
  if (!value)
    return fallback ? StatusOr<int64_t>(*fallback) : missing(key);
  if (const auto *number = std::get_if<int64_t>(value))
    return *number;
  const auto *number = std::get_if<uint64_t>(value);
  if (number && *number <= std::numeric_limits<int64_t>::max())
    return static_cast<int64_t>(*number);
  return wrongType(key, "an integer below 2^63", *value);
}

StatusOr<double> Metadata::getFloat(std::string_view key,
                                    std::optional<double> fallback) const {
  const Value *value = find(key);
  if (!value)
    return fallback ? StatusOr<double>(*fallback) : missing(key);
  if (const auto *number = std::get_if<double>(value))
    return *number;
  // JSON writes 10000.0 as 10000 when it likes.
  if (const auto *number = std::get_if<int64_t>(value))
    return static_cast<double>(*number);
  if (const auto *number = std::get_if<uint64_t>(value))
    return static_cast<double>(*number);
  return wrongType(key, "a number", *value);
}

StatusOr<std::string_view>
Metadata::getString(std::string_view key,
                    std::optional<std::string_view> fallback) const {
  const Value *value = find(key);
  if (!value)
    return fallback ? StatusOr<std::string_view>(*fallback) : missing(key);
  if (const auto *text = std::get_if<std::string_view>(value))
    return *text;
  return wrongType(key, "a string", *value);
}

StatusOr<const ArrayView *> Metadata::findArray(std::string_view key) const {
  const Value *value = find(key);
  if (!value)
    return missing(key);
  if (const auto *array = std::get_if<ArrayView>(value))
    return array;
  return wrongType(key, "an array", *value);
}

StatusOr<std::vector<int64_t>> Metadata::getInts(std::string_view key) const {
  TENON_ASSIGN_OR_RETURN(const ArrayView *array, findArray(key));
  // An empty JSON array has no type of its own.
  if (!isInteger(array->element) && array->count != 0)
    return wrongType(key, "an array of integers", *array);
  size_t size = valueTypeSize(array->element);
  std::vector<int64_t> out(array->count);
  for (size_t i = 0; i < out.size(); ++i)
    if (!loadInt(array->element, &array->bytes[i * size], out[i]))
      return wrongType(key, "an array of integers below 2^63", *array);
  return out;
}

StatusOr<std::vector<double>> Metadata::getFloats(std::string_view key) const {
  TENON_ASSIGN_OR_RETURN(const ArrayView *array, findArray(key));
  size_t size = valueTypeSize(array->element);
  if (size == 0 && array->count != 0)
    return wrongType(key, "an array of numbers", *array);
  std::vector<double> out(array->count);
  for (size_t i = 0; i < out.size(); ++i) {
    const uint8_t *at = &array->bytes[i * size];
    int64_t number = 0;
    if (array->element == ValueType::F32)
      out[i] = static_cast<double>(load<float>(at));
    else if (array->element == ValueType::F64)
      out[i] = load<double>(at);
    else if (loadInt(array->element, at, number))
      out[i] = static_cast<double>(number);
    else
      return wrongType(key, "an array of integers below 2^63", *array);
  }
  return out;
}

StatusOr<std::vector<std::string_view>>
Metadata::getStrings(std::string_view key) const {
  TENON_ASSIGN_OR_RETURN(const ArrayView *array, findArray(key));
  if (array->element != ValueType::String)
    return wrongType(key, "an array of strings", *array);
  std::vector<std::string_view> out;
  out.reserve(array->count);
  // Lengths were verified when the array was read.
  const uint8_t *at = array->bytes.data();
  for (uint64_t i = 0; i < array->count; ++i) {
    auto length = load<uint64_t>(at);
    out.emplace_back(reinterpret_cast<const char *>(at + 8), length);
    at += 8 + length;
  }
  return out;
}

} // namespace tenon::io
