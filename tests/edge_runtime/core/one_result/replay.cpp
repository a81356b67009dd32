// Runs a file of recorded calls (scenario.py) through the core and prints a hash of all results.
// Built for several processors by test_one_result.py: all must print the same.
//
// A record is a letter, the bytes that follow as uint32, and these bytes: structs of tally.h as
// they are in memory (the same on every 64-bit little-endian processor), with the data that they
// point to.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tally.h"

namespace {

/// FNV-1a over 64 bits.
class Hash {
 public:
  void add(const void* data, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    for (size_t i = 0; i < size; ++i) value_ = (value_ ^ bytes[i]) * 0x100000001b3u;
  }
  template <typename Value>
  void number(Value value) {
    add(&value, sizeof value);
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325u;
};

struct Group {
  Hash hash;
  long results = 0;
};
Group counting, states, decoding, scaling;

void require(bool holds, const char* what) {
  if (holds) return;
  std::printf("failed: %s\n", what);
  std::exit(1);
}

/// Takes values from a record.
class Record {
 public:
  explicit Record(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}
  template <typename Value>
  Value take() {
    Value value;
    std::memcpy(&value, skip(sizeof value), sizeof value);
    return value;
  }
  template <typename Value>
  std::vector<Value> list(size_t count) {
    std::vector<Value> values(count);
    const uint8_t* from = skip(count * sizeof(Value));
    if (count > 0) std::memcpy(values.data(), from, count * sizeof(Value));
    return values;
  }
  size_t left() const { return bytes_.size() - at_; }

 private:
  const uint8_t* skip(size_t size) {
    require(size <= left(), "a record is too short");
    at_ += size;
    return bytes_.data() + at_ - size;
  }
  std::vector<uint8_t> bytes_;
  size_t at_ = 0;
};

tally_counter* counter = nullptr;

void close_counter() {
  if (counter == nullptr) return;
  size_t size = 0;
  tally_counter_save(counter, nullptr, 0, &size);
  std::vector<uint8_t> state(size);
  require(tally_counter_save(counter, state.data(), size, &size) == TALLY_OK, "save");
  states.hash.add(state.data(), size);
  states.results += static_cast<long>(size);
  tally_counter_destroy(counter);
  counter = nullptr;
}

void open_counter(Record record) {
  close_counter();
  const auto options = record.take<tally_counter_options>();
  require(tally_counter_create(&options, &counter, nullptr, 0) == TALLY_OK, "create");
}

void add_region(Record record) {
  const auto kind = record.list<char>(8);
  const auto options = record.take<tally_region_options>();
  const auto points = record.list<tally_point>(record.left() / sizeof(tally_point));
  int32_t index;
  require(
      tally_counter_add_region(counter, kind.data(), points.data(),
                               static_cast<int32_t>(points.size()), &options, &index) == TALLY_OK,
      "add_region");
}

void add_tracks() {
  std::vector<tally_track> tracks(4096);
  int32_t count = 0;
  require(tally_counter_tracks(counter, tracks.data(), 4096, &count) == TALLY_OK, "tracks");
  for (int32_t i = 0; i < count; ++i) {
    const tally_track& t = tracks[i];
    counting.hash.number(t.track_id);
    for (const float value : {t.x1, t.y1, t.x2, t.y2, t.confidence}) counting.hash.number(value);
    counting.hash.number(t.class_id);
  }
}

void add_events() {
  std::vector<tally_event> events(4096);
  int32_t count = 0;
  require(tally_counter_take_events(counter, events.data(), 4096, &count) == TALLY_OK, "events");
  for (int32_t i = 0; i < count; ++i) {
    const tally_event& e = events[i];
    for (const int64_t value : {e.timestamp_ns, e.track_id}) counting.hash.number(value);
    for (const int32_t value : {e.kind, e.class_id, e.previous_class_id, e.region})
      counting.hash.number(value);
    for (const float value : {e.x, e.y, e.confidence, e.age_s, e.dwell_s})
      counting.hash.number(value);
  }
  counting.results += count;
}

void frame(Record record) {
  const auto now = record.take<int64_t>();
  const auto found = record.list<tally_detection>(record.left() / sizeof(tally_detection));
  // A case of the vectors gives a frame out of order; its refusal is a result too.
  counting.hash.number(static_cast<int32_t>(
      tally_counter_update(counter, now, found.data(), static_cast<int32_t>(found.size()))));
  add_tracks();
  add_events();
}

void decode(Record record) {
  const auto options = record.take<tally_decoder_options>();
  const auto letterbox = record.take<tally_letterbox>();
  auto heads = record.list<tally_head>(record.take<uint32_t>());
  std::vector<std::vector<float>> anchors;
  std::vector<std::vector<uint8_t>> data;
  for (tally_head& head : heads) {
    anchors.push_back(record.list<float>(2 * static_cast<size_t>(head.num_anchors)));
    data.push_back(record.list<uint8_t>(head.bytes));
    head.anchors = anchors.back().data();
    head.data = data.back().data();
  }
  tally_decoder* decoder = nullptr;
  require(tally_decoder_create(&options, &decoder, nullptr, 0) == TALLY_OK, "decoder");
  std::vector<tally_detection> out(options.max_detections);
  int32_t count = 0;
  const tally_status status =
      tally_decoder_run(decoder, heads.data(), static_cast<int32_t>(heads.size()), &letterbox,
                        out.data(), options.max_detections, &count);
  require(status == TALLY_OK, tally_decoder_error(decoder));
  decoding.hash.add(out.data(), count * sizeof(tally_detection));
  decoding.results += count;
  tally_decoder_destroy(decoder);
}

void scale(Record record) {
  auto image = record.take<tally_image>();
  auto tensor = record.take<tally_tensor>();
  std::vector<uint8_t> planes[3], input(tensor.bytes, 77);
  for (int i = 0; i < 3; ++i) {
    planes[i] = record.list<uint8_t>(image.plane_bytes[i]);
    image.planes[i] = planes[i].data();
  }
  tensor.data = input.data();
  tally_preprocessor* preprocessor = nullptr;
  tally_preprocessor_create(&preprocessor);
  tally_letterbox letterbox;
  require(tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) == TALLY_OK,
          tally_preprocessor_error(preprocessor));
  scaling.hash.add(input.data(), input.size());
  scaling.hash.add(&letterbox, sizeof letterbox);
  scaling.results += 1;
  tally_preprocessor_destroy(preprocessor);
}

void run(char kind, Record record) {
  switch (kind) {
    case 'C': open_counter(std::move(record)); break;
    case 'R': add_region(std::move(record)); break;
    case 'F': frame(std::move(record)); break;
    case 'Z': require(tally_counter_reset(counter) == TALLY_OK, "reset"); break;
    case 'E':
      require(tally_counter_conclude(counter) == TALLY_OK, "conclude");
      add_events();
      break;
    case 'D': decode(std::move(record)); break;
    case 'P': scale(std::move(record)); break;
    default: require(false, "unknown record");
  }
}

void print(const char* name, const Group& group) {
  std::printf("%s %ld %016llx\n", name, group.results,
              static_cast<unsigned long long>(group.hash.value()));
}

}  // namespace

int main(int, char** arguments) {
  std::FILE* file = std::fopen(arguments[1], "rb");
  require(file != nullptr, "no such file");
  char kind;
  uint32_t size;
  while (std::fread(&kind, 1, 1, file) == 1) {
    require(std::fread(&size, 4, 1, file) == 1, "a file that ends in a record");
    std::vector<uint8_t> bytes(size);
    require(size == 0 || std::fread(bytes.data(), 1, size, file) == size, "a cut record");
    run(kind, Record(std::move(bytes)));
  }
  std::fclose(file);
  close_counter();
  print("counting", counting);
  print("states", states);
  print("decoding", decoding);
  print("scaling", scaling);
  return 0;
}
