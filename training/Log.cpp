//===- Log.cpp - A line of JSON for each event of a run -------------------===//

#include "training/Log.h"

#include "runtime/io/Json.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace tenon::training {

Log::Log(Log &&other) noexcept
    : path(std::move(other.path)), file(std::exchange(other.file, -1)),
      losses(std::move(other.losses)) {}

Log::~Log() {
  if (file >= 0)
    ::close(file);
}

int64_t Log::note(const std::string &line) {
  StatusOr<io::Json> json = io::parseJson(line, path);
  int64_t step = -1;
  if (!json.ok() ||
      !io::readInt(io::findMember(*json, "step"), 0, INT64_MAX, step))
    return -1;
  const io::Json *loss = io::findMember(*json, "loss");
  const io::Json *validation = io::findMember(*json, "validation_loss");
  if (loss && loss->is_number_float())
    losses.training.push_back({step, *loss->get_ptr<const double *>()});
  if (validation && validation->is_number_float())
    losses.validation.push_back({step, *validation->get_ptr<const double *>()});
  return step;
}

StatusOr<Log> Log::open(const std::string &path, int64_t step) {
  Log log;
  log.path = path;
  std::string kept, line;
  for (std::ifstream old(path, std::ios::binary); std::getline(old, line);) {
    Log probe;
    int64_t at = probe.note(line);
    if (at < 0 || at > step || old.eof())
      continue;
    log.note(line);
    kept += line + "\n";
  }
  std::string partial = path + ".partial";
  std::ofstream made(partial, std::ios::binary);
  made << kept;
  made.close();
  std::error_code error;
  if (made)
    std::filesystem::rename(partial, path, error);
  if (made && !error)
    log.file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (log.file < 0)
    return unavailable("expects to write '", path,
                       "', got: ", std::strerror(errno));
  return log;
}

Status Log::add(const std::string &line) {
  note(line);
  std::string text = line + "\n";
  const char *next = text.data();
  for (size_t left = text.size(); left > 0;) {
    ssize_t written = ::write(file, next, left);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return unavailable("expects to write '", path,
                         "', got: ", std::strerror(errno));
    next += written;
    left -= written;
  }
  return Status();
}

} // namespace tenon::training
