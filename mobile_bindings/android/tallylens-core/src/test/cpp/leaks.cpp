// The functions of Native.kt without a JVM, for a leak checker, which a JVM's own memory confuses.
//
//     leaks [NAME]
//
// Makes every kind of handle, works with it and frees it, and lets every create function fail. With
// NAME, such as `counter`, one handle of this kind is not freed: the leak checker has to see that.
#include <jni.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

/// What a jobject of a direct buffer points to; strings are buffers that end in NUL.
struct Buffer {
  explicit Buffer(size_t bytes) : memory(bytes, 0) {}
  explicit Buffer(const char* text) : memory(text, text + std::strlen(text) + 1) {}
  template <typename T>
  Buffer& put(size_t at, T value) {
    std::memcpy(memory.data() + at, &value, sizeof value);
    return *this;
  }
  jlong handle() const {
    jlong value = 0;
    std::memcpy(&value, memory.data(), sizeof value);
    return value;
  }
  jobject object() { return reinterpret_cast<jobject>(this); }
  jstring text() { return reinterpret_cast<jstring>(this); }
  std::vector<char> memory;
};

Buffer* of(jobject object) { return reinterpret_cast<Buffer*>(object); }

std::map<std::string, void*> functions;

jint register_natives(JNIEnv*, jclass, const JNINativeMethod* methods, jint count) {
  for (jint i = 0; i < count; ++i) functions[methods[i].name] = methods[i].fnPtr;
  return 0;
}

/// The functions of JNI that the library calls.
JNINativeInterface_ table() {
  JNINativeInterface_ made{};
  made.GetDirectBufferAddress = [](JNIEnv*, jobject buffer) -> void* {
    return of(buffer)->memory.data();
  };
  made.GetDirectBufferCapacity = [](JNIEnv*, jobject buffer) -> jlong {
    return static_cast<jlong>(of(buffer)->memory.size());
  };
  made.GetStringUTFChars = [](JNIEnv*, jstring text, jboolean*) -> const char* {
    return of(text)->memory.data();
  };
  made.ReleaseStringUTFChars = [](JNIEnv*, jstring, const char*) {};
  made.NewStringUTF = [](JNIEnv*, const char*) -> jstring { return nullptr; };
  made.FindClass = [](JNIEnv*, const char*) { return reinterpret_cast<jclass>(&functions); };
  made.RegisterNatives = register_natives;
  return made;
}

const JNINativeInterface_ kTable = table();
JNIEnv env{&kTable};

jint get_env(JavaVM*, void** out, jint) {
  *out = &env;
  return JNI_OK;
}

template <typename Result, typename... Arguments>
Result call(const char* name, Arguments... arguments) {
  void* found = functions.at(name);
  return reinterpret_cast<Result (*)(JNIEnv*, jclass, Arguments...)>(found)(&env, nullptr,
                                                                            arguments...);
}

void expect(bool right, const char* what) {
  if (right) return;
  std::fprintf(stderr, "%s went wrong\n", what);
  std::exit(2);
}

const char* leaked = "";

void destroy(const char* kind, jlong handle) {
  expect(handle != 0, kind);
  // A copy of the address would keep the leak checker from seeing it.
  if (std::strcmp(kind, leaked) != 0) call<void>((std::string(kind) + "Destroy").c_str(), handle);
}

/// Options with the defaults of the core, longer than those of this version.
Buffer options(const char* defaults) {
  Buffer made(256);
  expect(call<jint>(defaults, made.object()) == 0, defaults);
  return made;
}

void count() {
  Buffer wanted = options("counterDefaults"), out(512);
  wanted.put<int32_t>(4, 0);
  expect(call<jint>("counterCreate", wanted.object(), out.object()) != 0, "no classes");
  wanted.put<int32_t>(4, 3).put<int32_t>(8, 640).put<int32_t>(12, 360);
  expect(call<jint>("counterCreate", wanted.object(), out.object()) == 0, "counterCreate");
  const jlong counter = out.handle();
  Buffer ids(4), line(16), kind("line");
  line.put(0, 0.0f).put(4, 180.0f).put(8, 640.0f).put(12, 180.0f);
  expect(call<jint>("counterWantClasses", counter, ids.object(), jint{1}) == 0, "wanted");
  expect(call<jint>("counterWithhold", counter) == 0, "withhold");
  expect(call<jint>("counterAddRegion", counter, kind.text(), line.object(), jint{2}, jint{0},
                    jfloat{0}) == 0,
         "counterAddRegion");
  constexpr int32_t kCapacity = 4;
  Buffer frame(56 + kCapacity * (24 + 32 + 56));
  frame.put(12, kCapacity).put(16, kCapacity).put(20, kCapacity);
  for (jlong i = 0; i < 60; ++i) {
    const float y = 40.0f + 4 * static_cast<float>(i);
    for (int32_t id = 0; id < 2; ++id) {
      const size_t at = 56 + 24 * static_cast<size_t>(id);
      const float x = 100.0f + 200 * static_cast<float>(id);
      frame.put(at, x).put(at + 4, y).put(at + 8, x + 50).put(at + 12, y + 60);
      frame.put(at + 16, 0.9f).put(at + 20, id);
    }
    expect(call<jint>("counterUpdate", counter, i * 33'000'000, jint{2}, frame.object()) == 0,
           "counterUpdate");
  }
  Buffer state(1 << 16), withheld(1 << 16), findings(1 << 12);
  expect(call<jint>("counterSave", counter, state.object()) == 0, "counterSave");
  expect(call<jint>("counterWithheld", counter, jint{64}, withheld.object()) == 0, "withheld");
  expect(withheld.handle() > 0, "nothing is withheld");
  expect(call<jint>("counterFindings", counter, jint{16}, findings.object()) == 0, "findings");
  const jlong size = state.handle();
  expect(call<jint>("counterRestore", counter, state.object(), size) != 0, "shifted bytes");
  state.memory.erase(state.memory.begin(), state.memory.begin() + 8);
  expect(call<jint>("counterRestore", counter, state.object(), size) == 0, "counterRestore");
  destroy("counter", counter);
}

void detect() {
  Buffer decoding = options("decoderDefaults"), heads(40 + 6 * 4), out(512);
  decoding.put<int32_t>(4, 1);
  // One float32 head of 3 anchors, 20 x 12 cells of 32 pixels.
  heads.put<int32_t>(4, 2).put<int32_t>(12, 20).put<int32_t>(16, 12).put<int32_t>(20, 32);
  heads.put(24, 1.0f).put<int32_t>(36, 3);
  for (size_t at = 40; at < 64; at += 4) heads.put(at, 16.0f);
  const auto create = [&](jint count) {
    return call<jint>("detectorCreate", jlong{0}, heads.object(), count, decoding.object(),
                      out.object());
  };
  expect(create(2) != 0, "a head that is missing");
  decoding.put<int32_t>(4, 0);
  expect(create(1) != 0, "no class");
  decoding.put<int32_t>(4, 1);
  expect(create(1) == 0, "detectorCreate");
  destroy("detector", out.handle());
}

void decide() {
  Buffer out(512), keys(8);
  const auto make = [&](const char* kind, auto... given) {
    const std::string name = std::string(kind) + "Create";
    expect(call<jint>(name.c_str(), given..., out.object()) == 0, kind);
    return out.handle();
  };
  expect(call<jint>("governorCreate", jint{0}, 0.0, 0.0, out.object()) != 0, "no sizes");
  expect(call<jint>("offloadCreate", jint{9}, 0.8, out.object()) != 0, "no such mode");
  expect(call<jint>("waitingCreate", jint{0}, out.object()) != 0, "no engines");
  const jlong governor = make("governor", jint{2}, 30.0, 0.0);
  expect(call<jint>("governorWants", governor, jlong{1}) == 0, "governorWants");
  destroy("governor", governor);
  destroy("offload", make("offload", jint{1}, 0.8));
  const jlong link = make("link");
  expect(call<jint>("linkSent", link, jlong{1}, jlong{1000}, 1.0) == 0, "linkSent");
  destroy("link", link);
  destroy("waiting", make("waiting", jint{1}));
  const jlong late = make("late");
  Buffer rows(24);
  expect(call<jint>("lateNote", late, rows.object(), jint{1}, 1.0) == 0, "lateNote");
  destroy("late", late);
  const jlong bins = make("bins");
  for (double time = 0; time < 90; ++time)
    expect(call<jint>("binsAdd", bins, time, keys.object(), jint{2}) == 0, "binsAdd");
  expect(call<jint>("binsCompact", bins) == 0, "binsCompact");
  destroy("bins", bins);
}

void open() {
  Buffer nothing(64), settings(16), out(1024), library("/no/libLiteRt.so");
  settings.put<int32_t>(4, 1);
  expect(call<jint>("modelDocument", nothing.object(), jlong{64}, out.object()) < 0, "no model");
  expect(call<jint>("engineOpen", nothing.object(), jlong{64}, settings.object(), library.text(),
                    out.object()) != 0,
         "no LiteRT");
}

}  // namespace

extern "C" JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM* vm, void*);

int main(int argc, char** argv) {
  if (argc > 1) leaked = argv[1];
  JNIInvokeInterface_ invoke{};
  invoke.GetEnv = get_env;
  JavaVM vm{&invoke};
  expect(JNI_OnLoad(&vm, nullptr) == JNI_VERSION_1_6, "JNI_OnLoad");
  count();
  detect();
  decide();
  open();
  return 0;
}
