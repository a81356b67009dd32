// libFuzzer targets of the core's entry points; the first byte of an input chooses one. Built and
// run by run.sh beside it. Requests of an input are bounded as a caller's arguments would be, and
// every buffer has exactly the size that the core is given, so that AddressSanitizer sees each step
// beyond it.
#include <cstring>
#include <memory>
#include <vector>

#include "counter.h"
#include "state.h"
#include "tally.h"

namespace {

/// Takes values from the input, zeros when it is used up.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : next_(data), left_(size) {}
  template <typename Value>
  Value take() {
    Value value{};
    const size_t bytes = std::min(left_, sizeof value);
    std::memcpy(&value, next_, bytes);
    next_ += bytes;
    left_ -= bytes;
    return value;
  }
  int32_t small(int32_t most) { return take<uint8_t>() % (most + 1); }
  std::vector<uint8_t> bytes(size_t count) {
    std::vector<uint8_t> found(count);
    for (auto& byte : found) byte = take<uint8_t>();
    return found;
  }
  const uint8_t* data() const { return next_; }
  size_t left() const { return left_; }

 private:
  const uint8_t* next_;
  size_t left_;
};

void frames(Input in) {
  tally_preprocessor* preprocessor = nullptr;
  tally_preprocessor_create(&preprocessor);
  for (int round = 0; round < 2; ++round) {
    tally_image image{};
    image.struct_size = sizeof image;
    image.width = in.small(70) - 1;
    image.height = in.small(70) - 1;
    image.format = in.small(7);
    image.rotation = in.small(4) * 90;
    std::vector<uint8_t> planes[3];
    for (int i = 0; i < 3; ++i) {
      image.strides[i] = in.small(255);
      planes[i] = in.bytes(in.take<uint16_t>() % 8000);
      planes[i].shrink_to_fit();
      image.planes[i] = planes[i].data();
      image.plane_bytes[i] = planes[i].size();
    }
    image.chroma_step = in.small(18) - 1;
    image.yuv_range = in.small(2);
    image.yuv_matrix = in.small(2);
    std::vector<uint8_t> out(in.take<uint16_t>() % 20000);
    tally_tensor tensor{};
    tensor.struct_size = sizeof tensor;
    tensor.data = out.data();
    tensor.bytes = out.size();
    tensor.width = in.small(40);
    tensor.height = in.small(40);
    tensor.dtype = in.small(4);
    tensor.layout = in.small(2);
    // Half of the inputs have rows without gaps, a few an absurd number of bytes.
    const int32_t rows = in.small(255);
    tensor.row_bytes = rows < 128    ? 0
                       : rows == 255 ? in.take<uint64_t>()
                                     : in.take<uint16_t>() % 700;
    tensor.channels = in.small(2);
    tally_letterbox letterbox;
    tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox);
  }
  tally_preprocessor_destroy(preprocessor);
}

void heads(Input in) {
  tally_decoder_options options{};
  options.struct_size = sizeof options;
  tally_decoder_defaults(&options);
  options.num_classes = in.small(6);
  options.confidence = in.take<float>();
  options.iou = in.take<float>();
  options.multi_label = in.small(2);
  options.max_candidates = in.small(200);
  options.max_detections = in.small(50);
  tally_decoder* decoder = nullptr;
  if (tally_decoder_create(&options, &decoder, nullptr, 0) != TALLY_OK) return;
  const int32_t count = in.small(3);
  std::vector<tally_head> list(count);
  std::vector<std::vector<uint8_t>> data(count);
  std::vector<std::vector<float>> anchors(count);
  for (int32_t i = 0; i < count; ++i) {
    list[i].struct_size = sizeof list[i];
    list[i].num_anchors = in.small(4);
    anchors[i].resize(2 * list[i].num_anchors);
    for (float& anchor : anchors[i]) anchor = in.take<float>();
    list[i].dtype = in.small(4);
    list[i].layout = in.small(2);
    list[i].width = in.small(9);
    list[i].height = in.small(9);
    list[i].stride = in.small(64);
    list[i].scale = in.take<float>();
    list[i].zero_point = in.take<int32_t>();
    for (int64_t* stride : {&list[i].row_stride, &list[i].column_stride, &list[i].channel_stride}) {
      const int32_t kind = in.small(3);
      if (kind == 1) *stride = in.take<uint8_t>();
      if (kind == 2) *stride = in.take<uint16_t>() % 4000;
      if (kind == 3) *stride = in.take<int64_t>();
    }
    data[i] = in.bytes(in.take<uint16_t>() % 12000);
    if (in.small(1) == 1) list[i].reg_max = in.small(20);
    list[i].data = data[i].data();
    list[i].bytes = data[i].size();
    list[i].anchors = anchors[i].data();
  }
  tally_letterbox letterbox = in.take<tally_letterbox>();
  // Last, so that the seeds of before stay what they were.
  for (int32_t i = 0; i < count && in.small(1) == 1; ++i) {
    tally_head& head = list[i];
    head.decoded = in.small(2);
    head.extra_channels = in.small(4);
    head.height = in.small(8) == 0 ? head.height : 1;
    head.unit_x = in.small(1) == 1 ? in.take<float>() : 640;
    head.unit_y = in.small(1) == 1 ? in.take<float>() : 1;
    if (in.small(1) == 1) continue;
    const int32_t channels = (head.decoded == TALLY_SCORED_BOXES ? 5 : 4) + options.num_classes;
    const int32_t bytes = head.dtype == TALLY_FLOAT32 ? 4 : head.dtype == TALLY_FLOAT16 ? 2 : 1;
    data[i].resize(static_cast<size_t>(channels + head.extra_channels) * head.width * bytes);
    head.data = data[i].data();
    head.bytes = data[i].size();
    head.row_stride = head.column_stride = head.channel_stride = 0;
  }
  std::vector<tally_detection> out(options.max_detections);
  int32_t found = 0;
  tally_decoder_run(decoder, list.data(), count, &letterbox, out.data(), options.max_detections,
                    &found);
  tally_decoder_destroy(decoder);
}

tally_counter* new_counter() {
  tally_counter_options options{};
  options.struct_size = sizeof options;
  tally_counter_defaults(&options);
  options.num_classes = 3;
  options.frame_width = 640;
  options.frame_height = 480;
  tally_counter* counter = nullptr;
  int32_t index;
  const tally_point corners[] = {{100, 100}, {500, 120}, {300, 200}, {480, 400}, {90, 380}};
  tally_counter_create(&options, &counter, nullptr, 0);
  const tally_point ends[] = {{0, 240}, {640, 240}};
  tally_counter_add_region(counter, "line", ends, 2, nullptr, &index);
  tally_counter_add_region(counter, "zone", corners, 5, nullptr, &index);
  return counter;
}

std::vector<uint8_t> save(tally_counter* counter) {
  size_t size = 0;
  tally_counter_save(counter, nullptr, 0, &size);
  std::vector<uint8_t> state(size);
  if (tally_counter_save(counter, state.data(), size, &size) != TALLY_OK) __builtin_trap();
  return state;
}

/// Frames of detections until the input is used up; then everything is read.
void advance(tally_counter* counter, Input in) {
  tally_diagnostics facts{};
  facts.struct_size = sizeof facts;
  tally_counter_diagnostics(counter, &facts);
  int64_t now = facts.last_timestamp_ns;
  for (int frame = 0; frame < 60 && in.left() > 0; ++frame) {
    const int64_t step = in.take<uint8_t>() == 255 ? in.take<int64_t>() : in.take<uint32_t>();
    now = static_cast<int64_t>(static_cast<uint64_t>(now) + static_cast<uint64_t>(step));
    std::vector<tally_detection> found(in.small(12));
    for (auto& d : found) {
      if (in.small(15) == 0) {
        d = in.take<tally_detection>();
        continue;
      }
      const float x = static_cast<float>(in.small(255)) * 2.5f;
      const float y = static_cast<float>(in.small(255)) * 2.0f;
      d = {x,
           y,
           x + static_cast<float>(in.small(90)),
           y + static_cast<float>(in.small(90)),
           static_cast<float>(in.small(10)) / 10,
           in.small(2)};
    }
    tally_counter_update(counter, now, found.data(), static_cast<int32_t>(found.size()));
  }
  int64_t totals[3];
  double value;
  int32_t count;
  std::vector<tally_event> events(50);
  std::vector<tally_visit> visits(50);
  std::vector<tally_track> tracks(50);
  for (const char* kind : {"line", "zone"}) {
    for (int32_t i = 0; i < 3; ++i) {
      tally_counter_region_total(counter, kind, 0, i, totals, 3);
      tally_counter_region_value(counter, kind, 0, i, &value);
    }
    tally_counter_region_visits(counter, kind, 0, visits.data(), 50, &count);
  }
  tally_counter_tracks(counter, tracks.data(), 50, &count);
  tally_counter_take_events(counter, events.data(), 50, &count);
  tally_counter_diagnostics(counter, &facts);
}

/// Ignored areas of any corners and limits of any size; what is usable is what is tracked.
void ignored(Input in) {
  tally_counter_options options{};
  options.struct_size = sizeof options;
  tally_counter_defaults(&options);
  options.num_classes = 3;
  options.frame_width = 640;
  options.frame_height = 480;
  options.min_size = in.take<float>();
  options.max_size = in.take<float>();
  tally_counter* counter = nullptr;
  if (tally_counter_create(&options, &counter, nullptr, 0) != TALLY_OK) return;
  for (int area = in.small(3); area > 0; --area) {
    std::vector<tally_point> corners(in.small(12));
    const bool any = in.small(3) == 0;
    for (tally_point& corner : corners)
      corner = any ? in.take<tally_point>()
                   : tally_point{static_cast<float>(in.small(255)) * 2.5f,
                                 static_cast<float>(in.small(255)) * 2.0f};
    tally_counter_ignore(counter, corners.data(), static_cast<int32_t>(corners.size()));
  }
  std::vector<tally_detection> found(in.small(12));
  for (auto& d : found) {
    d = in.take<tally_detection>();
    d.class_id = in.small(2);
  }
  const auto count = static_cast<int32_t>(found.size());
  std::vector<int32_t> usable(found.size(), -1);
  if (tally_counter_usable(counter, found.data(), count, usable.data()) == TALLY_OK)
    for (const int32_t one : usable)
      if (one != 0 && one != 1) __builtin_trap();
  advance(counter, in);
  const std::vector<uint8_t> state = save(counter);
  if (tally_counter_restore(counter, state.data(), state.size()) != TALLY_OK) __builtin_trap();
  tally_counter_destroy(counter);
}

/// A counter's own state comes back as the same bytes, whatever it has seen.
void detections(Input in) {
  tally_counter *counter = new_counter(), *copy = new_counter();
  advance(counter, in);
  const std::vector<uint8_t> state = save(counter);
  if (tally_counter_restore(copy, state.data(), state.size()) != TALLY_OK || save(copy) != state)
    __builtin_trap();
  tally_counter_destroy(counter);
  tally_counter_destroy(copy);
}

/// Any bytes as a state; and any payload under a right checksum, used if it is taken.
void states(Input in) {
  tally_counter* counter = new_counter();
  tally_counter_restore(counter, in.data(), in.left());
  const tally::Bytes payload(in.data(), in.data() + in.left());
  const tally::Bytes sealed = tally::seal(payload);
  if (tally_counter_restore(counter, sealed.data(), sealed.size()) == TALLY_OK) {
    advance(counter, Input(payload.data(), payload.size()));
    tally_counter_reset(counter);
    save(counter);
  }
  tally_counter_destroy(counter);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Input in(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0: frames(in); break;
    case 1: heads(in); break;
    case 2: detections(in); break;
    case 3: states(in); break;
    default: ignored(in); break;
  }
  return 0;
}
