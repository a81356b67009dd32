import Foundation

/// Encodes frames so that the link can carry them in time: down a ladder at once, and up slowly.
///
/// The server's letterbox is the core's, and so is the scaling here: of a frame that was sent without
/// loss, the server's model sees the pixels that it would see on the device.
struct FrameEncoder {
    /// Size as a share of the model's input, and JPEG quality; 0 is lossless.
    private struct Step {
        var scale: Double
        var quality: Int
    }

    private static let ladder =
        [Step(scale: 1, quality: 0)]
        + [90, 80, 70, 60, 50, 40].map { Step(scale: 1, quality: $0) }
        + [0.75, 0.5].flatMap { scale in [60, 40].map { Step(scale: scale, quality: $0) } }
    private static let (exact, bestJPEG, last) = (0, 1, ladder.count - 1)
    /// Of mode `auto`: half the bytes of the best JPEG for most of what the bigger model adds.
    private static let sparing = (best: 4, worst: 6)
    private static let upAt = 0.6
    /// Typical size of a JPEG of quality 90, as a share of its pixels' bytes.
    private static let jpegShare = 1.0 / 16
    private static let remembered = 8

    /// What matters in the frames that are sent.
    enum Aim: Sendable {
        /// Few bytes.
        case sparing
        /// The pixels as they are, and nothing else: the server runs the device's own model.
        case exact
        /// The pixels as they are, if the link carries them, which a live stream finds out first.
        case best(live: Bool)
    }

    private let input: (width: Int, height: Int)
    private let maxBytes: Int
    private let worst: Int
    private var best: Int
    private var step: Int
    private var pixels: Int
    private var sizes: [Int] = []

    /// - Parameter input: size of the server's model; larger images gain nothing.
    init(input: (width: Int, height: Int), maxBytes: Int, aim: Aim) {
        self.input = input
        self.maxBytes = maxBytes
        pixels = input.width * input.height
        let here = FrameEncoder.self
        switch aim {
        case .sparing: (best, worst, step) = (here.sparing.best, here.sparing.worst, here.sparing.best)
        case .exact: (best, worst, step) = (here.exact, here.exact, here.exact)
        case .best(let live):
            (best, worst, step) = (here.exact, here.last, live ? here.bestJPEG : here.exact)
        }
    }

    /// Whether no step with fewer bytes may be used.
    var isSmallest: Bool { step >= worst }

    /// Size of the largest of the last images; before the first, a guess from the pixels.
    var expectedBytes: Int {
        if step == FrameEncoder.exact { return 3 * pixels }
        return sizes.max() ?? Int(Double(3 * pixels) * FrameEncoder.jpegShare)
    }

    /// The frame as it is sent, no larger than the model's input.
    mutating func encode(
        _ frame: borrowing Frame, _ reader: FrameReader
    ) throws(TallyLensError) -> EncodedImage {
        let scale = FrameEncoder.ladder[step].scale
        func side(_ pixels: Int) -> Int { max(1, Int((Double(pixels) * scale).rounded())) }
        let image = try reader.image(frame, width: side(input.width), height: side(input.height))
        pixels = image.width * image.height
        if step == FrameEncoder.exact && worst != step && image.bytes.count > maxBytes {
            (best, step) = (FrameEncoder.bestJPEG, FrameEncoder.bestJPEG)
        }
        var encoded = EncodedImage(data: Data(), width: image.width, height: image.height)
        encoded.scale = (
            Double(frame.uprightWidth) / Double(image.width),
            Double(frame.uprightHeight) / Double(image.height)
        )
        if step == FrameEncoder.exact {
            encoded.codec = .raw
            encoded.data = Data(image.bgr())
        } else {
            encoded.data = JPEGEncoder(quality: FrameEncoder.ladder[step].quality).encode(image)
            sizes = (sizes + [encoded.data.count]).suffix(FrameEncoder.remembered)
        }
        return encoded
    }

    /// Fit the next images, each to `seconds` of a link of so many bytes per second.
    mutating func adapt(bandwidth: Double, seconds: Double) {
        if bandwidth <= 0 { return }
        let carried = bandwidth * max(seconds, 1e-3)
        if Double(expectedBytes) > carried && step < worst {
            move(1)
        } else if step > best && Double(larger) < FrameEncoder.upAt * carried {
            move(-1)
        }
    }

    /// Estimated size of an image one step up.
    private var larger: Int { step - 1 == FrameEncoder.exact ? 3 * pixels : expectedBytes }

    private mutating func move(_ by: Int) {
        step += by
        // Typical effect of one step; the next images are measured again.
        sizes = sizes.map { Int(Double($0) * (by > 0 ? 0.8 : 1.25)) }
    }
}
