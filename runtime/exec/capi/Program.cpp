//===- Program.cpp - tenon/program.h --------------------------------------===//

#include "tenon/program.h"
#include "runtime/exec/capi/Handles.h"

using namespace tenon;

tenon_status_t tenon_program_open(const char *path,
                                  tenon_program_t **outProgram) {
  *outProgram = nullptr;
  auto program = exec::LoadedProgram::open(path);
  if (!program.ok())
    return toC(program.status());
  *outProgram = new tenon_program{1, path, *std::move(program)};
  return nullptr;
}

size_t tenon_program_entry_count(const tenon_program_t *program) {
  return program->program->program().entries.size();
}

const char *tenon_program_entry_name(const tenon_program_t *program,
                                     size_t entry) {
  const auto &entries = program->program->program().entries;
  return entry < entries.size() ? entries[entry].name.c_str() : nullptr;
}

const char *tenon_program_metadata(const tenon_program_t *program,
                                   const char *key) {
  for (const base::Metadata &item : program->program->program().metadata)
    if (item.key == key)
      return item.value.c_str();
  return nullptr;
}

void tenon_program_retain(tenon_program_t *program) {
  program->references.fetch_add(1, std::memory_order_relaxed);
}

void tenon_program_release(tenon_program_t *program) { exec::release(program); }
