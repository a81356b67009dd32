import Foundation
import TallyLensLiteRT
import XCTest

@testable import TallyLens

/// The rectangle that fits the frames, and engines that take it or do not.
final class InputSizeTests: XCTestCase {
    private func metadata(_ width: Int, _ height: Int) throws -> ModelMetadata {
        try SlowEngine(seconds: 0, classNames: ["car"]).metadata.resized(width: width, height: height)
    }

    /// Of frames of a size; the strides of this engine are 32.
    private func fitting(_ own: (Int, Int), _ frame: (Int, Int)) throws -> [Int] {
        let input = try metadata(own.0, own.1).fittingInput(frame.0, frame.1)
        return [input.width, input.height]
    }

    func testTheInputFitsTheFrames() throws {
        XCTAssertEqual(try fitting((640, 640), (1920, 1080)), [640, 384])
        XCTAssertEqual(try fitting((640, 640), (1080, 1920)), [384, 640])
        XCTAssertEqual(try fitting((640, 640), (640, 480)), [640, 480])
        XCTAssertEqual(try fitting((640, 640), (500, 500)), [640, 640])
        XCTAssertEqual(try fitting((640, 640), (8000, 20)), [640, 32])
        // A square would have more pixels than a rectangle of the model.
        XCTAssertEqual(try fitting((640, 384), (500, 500)), [640, 384])
        XCTAssertEqual(try fitting((640, 384), (1280, 720)), [640, 384])
    }

    /// An engine whose input has one size, or any, and that notes the sizes of its inputs.
    private final class NotingEngine: Engine {
        struct Refused: Error {}
        let metadata: ModelMetadata
        let name = "noting"
        let inputs: Guarded<[[Int]]>
        private let answer: Result<Bool, Refused>

        init(_ answer: Result<Bool, Refused>, _ metadata: ModelMetadata, _ inputs: Guarded<[[Int]]>) {
            (self.answer, self.metadata, self.inputs) = (answer, metadata, inputs)
        }

        func resized(width: Int, height: Int) throws -> (any Engine)? {
            guard try answer.get() else { return nil }
            return NotingEngine(answer, metadata.resized(width: width, height: height), inputs)
        }

        func run(
            _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
            heads: ([Head]) throws -> Void
        ) throws {
            let (width, height) = (metadata.inputWidth, metadata.inputHeight)
            inputs.use { $0.append([width, height]) }
            let input = UnsafeMutableRawBufferPointer.allocate(
                byteCount: 3 * width * height, alignment: 64)
            defer { input.deallocate() }
            try body(input, TensorFormat(type: .uint8, width: width, height: height))
            let shape = metadata.headShape(0)
            try [Float](repeating: -20, count: shape.height * shape.width * shape.channels)
                .withUnsafeBytes { try heads([Head(index: 0, type: .float32, bytes: $0)]) }
        }
    }

    /// The sizes of the inputs that four frames of 256 x 64 were counted with.
    private func inputs(
        _ answer: Result<Bool, NotingEngine.Refused>, _ mode: RunningMode = .video
    ) throws -> [[Int]] {
        let engine = NotingEngine(answer, try metadata(128, 128), Guarded([]))
        var options = CounterOptions()
        options.runningMode = mode
        let counter = try Counter(engine: engine, options: options)
        for index in 1...4 {
            let frame = try Frame(
                .rgb, width: 256, height: 64, copying: [UInt8](repeating: 9, count: 3 * 256 * 64))
            let time = Timestamp(nanoseconds: Int64(index) * 33_000_000)
            switch mode {
            case .image: _ = try counter.detect(frame)
            case .video: _ = try counter.count(frame, at: time)
            case .liveStream:
                counter.submit(frame, at: time)
                counter.drain()
            }
        }
        XCTAssertNil(counter.lastError)
        counter.close()
        return engine.inputs.use { $0 }
    }

    func testFramesAreDetectedAtTheirShape() throws {
        let fitted = [[Int]](repeating: [128, 32], count: 4)
        XCTAssertEqual(try inputs(.success(true)), fitted)
        XCTAssertEqual(try inputs(.success(true), .liveStream), fitted)
    }

    /// Images may have a size each, and some engines have one input.
    func testTheWholeInputStaysWhereItHasTo() throws {
        let whole = [[Int]](repeating: [128, 128], count: 4)
        XCTAssertEqual(try inputs(.success(true), .image), whole)
        XCTAssertEqual(try inputs(.success(false)), whole)
    }

    func testAnEngineThatFailsIsNotHidden() throws {
        XCTAssertThrowsError(try inputs(.failure(NotingEngine.Refused()))) {
            XCTAssertEqual(($0 as? TallyLensError)?.kind, .engine, "\($0)")
        }
    }
}
