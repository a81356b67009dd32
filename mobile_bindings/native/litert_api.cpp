#include "litert_api.h"

#include <dlfcn.h>

#include <map>
#include <memory>
#include <mutex>

#include "tally_engine.h"

namespace tally::litert {
namespace {

// The tested range of versions, in one place. LiteRT has no function that reports its version, so a
// version is known by what it exports:
//   up to 2.1.2  exports kOldSymbol; it aborts after some 20 opens and closes
//   2.1.3        is the first that exports kFirstSymbol
//   2.1.6        puts the environment before the other parameters of LiteRtCreateModelFromBuffer
//                and exports kModelTakesEnvironment
//   2.2, 2.3     export kTable, whose first entry is LiteRtCreateEnvironment
// A table that begins otherwise is of a later version, whose structs may differ.
constexpr char kRange[] = "2.1.3 to 2.3";
constexpr char kOldSymbol[] = "LiteRtGetDefaultSignatureKey";
constexpr char kFirstSymbol[] = "LiteRtRunCompiledModelWithOptions";
constexpr char kModelTakesEnvironment[] = "LiteRtCreateModelFromFd";
constexpr char kTable[] = "kLiteRtRuntimeBuiltin";

#if defined(__APPLE__)
constexpr char kLibrary[] = "libLiteRt.dylib";
#else
constexpr char kLibrary[] = "libLiteRt.so";
#endif

std::string unsupported(const std::string& name, const char* which) {
  return name + " is " + which + "; use LiteRT " + kRange;
}

bool is_in_range(void* library, const std::string& name, std::string* error) {
  if (dlsym(library, kOldSymbol) != nullptr || dlsym(library, kFirstSymbol) == nullptr) {
    *error = unsupported(name, "a version of LiteRT that is too old");
    return false;
  }
  void* const* table = static_cast<void* const*>(dlsym(library, kTable));
  if (table != nullptr && *table != dlsym(library, "LiteRtCreateEnvironment")) {
    *error = unsupported(name, "a later version of LiteRT than was tested");
    return false;
  }
  return true;
}

template <typename Function>
bool find(void* library, const char* name, Function* function, std::string* missing) {
  void* address = dlsym(library, name);
  *function = reinterpret_cast<Function>(address);
  if (address == nullptr && missing->empty()) *missing = name;
  return address != nullptr;
}

std::unique_ptr<Api> resolve(void* library, const std::string& name, int* status,
                             std::string* error) {
  *status = TALLY_ENGINE_UNSUPPORTED;
  if (!is_in_range(library, name, error)) return nullptr;
  auto api = std::make_unique<Api>();
  std::string missing;
#define TALLY_LITERT_FIND(member, exported, result, parameters) \
  find(library, "LiteRt" #exported, &api->member, &missing);
  TALLY_LITERT_FUNCTIONS(TALLY_LITERT_FIND)
#undef TALLY_LITERT_FIND
  find(library, "LiteRtCreateModelFromBuffer", &api->create_model_address, &missing);
  if (!missing.empty()) {
    *status = TALLY_ENGINE_MISSING;
    *error = name + " has no function " + missing + "; use LiteRT " + kRange;
    return nullptr;
  }
  api->model_takes_environment = dlsym(library, kModelTakesEnvironment) != nullptr;
  return api;
}

}  // namespace

Status Api::create_model(Handle environment, const void* data, size_t bytes, Handle* model) const {
  using Before = Status (*)(const void*, size_t, Handle*);
  using Since = Status (*)(Handle, const void*, size_t, Handle*);
  if (model_takes_environment) {
    return reinterpret_cast<Since>(create_model_address)(environment, data, bytes, model);
  }
  return reinterpret_cast<Before>(create_model_address)(data, bytes, model);
}

const Api* load(const char* name, int* status, std::string* error) {
  // Libraries stay loaded: LiteRT keeps threads and static objects.
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Api>> loaded;
  const std::string path = name != nullptr && *name != '\0' ? name : kLibrary;
  const std::scoped_lock guard(mutex);
  const auto found = loaded.find(path);
  if (found != loaded.end()) return found->second.get();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    *status = TALLY_ENGINE_MISSING;
    *error = "LiteRT cannot be loaded (" + std::string(reason != nullptr ? reason : path.c_str()) +
             "); add com.google.ai.edge.litert:litert " + kRange + " to the app";
    return nullptr;
  }
  std::unique_ptr<Api> api = resolve(library, path, status, error);
  if (api == nullptr) return nullptr;
  return loaded.emplace(path, std::move(api)).first->second.get();
}

const char* status_word(Status status) {
  switch (status) {
    case 1: return "invalid argument";
    case 2: return "out of memory";
    case 3: return "runtime failure";
    case 4: return "missing input tensor";
    case 5: return "unsupported";
    case 6: return "not found";
    case 7: return "timeout";
    case 8: return "wrong version";
    case 500: return "file cannot be read";
    case 501: return "invalid flatbuffer";
    case 502: return "a library cannot be loaded";
    case 504: return "it cannot be compiled";
    case 1001: return "unsupported tensor type";
    default: return "unknown error";
  }
}

}  // namespace tally::litert
