import Foundation
import XCTest

@testable import TallyLens

/// A counter with a server in memory: every frame is counted once, whoever detected it.
final class OffloaderTests: XCTestCase {
    /// An engine of the class `person` that finds nothing.
    private func engine(_ seconds: Double = 0.001) throws -> SlowEngine {
        try SlowEngine(seconds: seconds, classNames: ["person"])
    }

    private func options(
        _ server: MemoryServer, _ mode: OffloadMode = .always, live: Bool = false
    ) -> CounterOptions {
        var offload = OffloadOptions(server: "wss://host", key: Secret("k"), transport: server)
        offload.mode = mode
        var options = CounterOptions()
        options.runningMode = live ? .liveStream : .video
        options.offload = offload
        return options
    }

    private func frame(_ value: UInt8 = 90) throws -> sending Frame { try Self.gray(value) }

    private static func gray(_ value: UInt8) throws -> sending Frame {
        try Frame(
            .rgb, width: 128, height: 96, copying: [UInt8](repeating: value, count: 3 * 128 * 96))
    }

    private func time(_ index: Int) -> Timestamp { Timestamp(nanoseconds: Int64(index) * 33_000_000) }

    private func reasons(_ counter: Counter) -> [String] {
        counter.report.offload?.decisions.map { "\($0.action): \($0.reason)" } ?? []
    }

    func testTheServersDetectionsAreInTheDevicesTerms() throws {
        // Half the size of the frame, and the classes of another model.
        let server = MemoryServer(onFrame: { link, header, image in
            XCTAssertEqual([header.width, header.height], [64, 48])
            XCTAssertEqual(header.codec, .raw)
            XCTAssertEqual(Array(image.prefix(3)), [90, 90, 90])
            link.answer(header.sequence, "[10,10,20,30,0.9,1],[1,1,5,5,0.9,0]")
        })
        let counter = try Counter(engine: try engine(), options: options(server))
        _ = try counter.count(frame(), at: time(1))
        let update = try counter.count(frame(), at: time(2))
        XCTAssertEqual(
            update.detections,
            [Detection(x1: 20, y1: 20, x2: 40, y2: 60, confidence: 0.9, classID: 0)])
        let report = try XCTUnwrap(counter.report.offload)
        XCTAssertEqual(report.frames, ["local": 0, "cloud": 2, "skip": 0])
        XCTAssertEqual(report.connections, 1)
        XCTAssertGreaterThan(report.sentBytes, 2 * 3 * 64 * 48)
        counter.close()
    }

    func testWithoutAnAnswerTheDeviceDecidesInTime() throws {
        let server = MemoryServer(onFrame: { _, _, _ in })
        var options = options(server)
        options.offload?.deadline = .milliseconds(300)
        let counter = try Counter(engine: try engine(), options: options)
        for index in 1...3 { _ = try counter.count(frame(), at: time(index)) }
        XCTAssertEqual(counter.report.frames, 3)
        XCTAssertTrue(reasons(counter).contains("local: no answer in time"), "\(reasons(counter))")
        XCTAssertEqual(counter.report.offload?.missedDeadlines, 0)
        counter.close()
    }

    func testAViewThatDoesNotChangeIsSkipped() throws {
        let counter = try Counter(
            engine: try engine(), options: options(MemoryServer(), .auto))
        for index in 1...5 { _ = try counter.count(frame(90), at: time(index)) }
        _ = try counter.count(frame(200), at: time(6))
        let frames = try XCTUnwrap(counter.report.offload).frames
        XCTAssertEqual(frames["skip"], 4)
        XCTAssertEqual(counter.report.frames, 6)
        counter.close()
    }

    func testNeverDoesNotConnect() throws {
        let server = MemoryServer()
        let counter = try Counter(engine: try engine(), options: options(server, .never))
        _ = try counter.count(frame(), at: time(1))
        XCTAssertEqual(server.links.use { $0.count }, 0)
        XCTAssertEqual(reasons(counter).count, 1)
        counter.close()
    }

    func testAServerThatRefusesAVideoIsAnErrorAtOnce() throws {
        let server = MemoryServer(onConnect: { link, _ in link.end(ConnectionEnd(httpStatus: 403)) })
        let counter = try Counter(engine: try engine(), options: options(server))
        XCTAssertThrowsError(try counter.count(frame(), at: time(1))) {
            XCTAssertEqual(($0 as? TallyLensError)?.kind, .cloud, "\($0)")
        }
        // Whoever goes on all the same counts alone.
        _ = try counter.count(frame(), at: time(2))
        XCTAssertEqual(counter.report.frames, 1)
        XCTAssertTrue(counter.report.warnings.contains { $0.contains("Counted on this device alone") })
        counter.close()
    }

    func testALiveStreamGoesOnWithoutItsServer() throws {
        let told = expectation(description: "a notice")
        let server = MemoryServer(onConnect: { link, _ in link.end(ConnectionEnd(httpStatus: 401)) })
        var options = options(server, live: true)
        options.offload?.onNotice = { notice in
            XCTAssertTrue(notice.contains("it does not know this key"), notice)
            told.fulfill()
        }
        let counter = try Counter(engine: try engine(), options: options)
        for index in 1...10 {
            counter.submit(try frame(), at: time(index))
            counter.drain()
        }
        wait(for: [told], timeout: 10)
        let report = counter.report
        XCTAssertEqual(report.frames + report.dropped + report.skipped, 10)
        XCTAssertEqual(report.offload?.refusals.map(\.times), [1])
        XCTAssertNil(counter.lastError)
        counter.close()
    }

    func testAServerThatCannotBeReachedIsInTheReport() throws {
        let server = MemoryServer(onConnect: { link, _ in link.end(ConnectionEnd()) })
        let counter = try Counter(engine: try engine(), options: options(server, live: true))
        counter.submit(try frame(), at: time(1))
        counter.drain()
        let report = counter.report
        XCTAssertEqual(report.offload?.frames["local"], 1)
        XCTAssertTrue(report.warnings.contains { $0.contains("cannot be reached") })
        counter.close()
    }

    /// Closing does not wait for the server: the frame that does is detected on the device.
    func testClosingEndsTheWaitForAnAnswer() throws {
        let asked = expectation(description: "a frame is sent")
        let server = MemoryServer(onFrame: { _, _, _ in asked.fulfill() })
        var options = options(server)
        options.offload?.deadline = .seconds(600)
        let counter = try Counter(engine: try engine(), options: options)
        let counted = expectation(description: "the frame is counted")
        let first = time(1)
        Thread.detachNewThread { [counter] in
            do {
                _ = try counter.count(Self.gray(90), at: first)
            } catch {
                XCTFail("\(error)")
            }
            counted.fulfill()
        }
        wait(for: [asked], timeout: 20)
        counter.close()
        wait(for: [counted], timeout: 20)
    }

    /// Nobody who looks at the totals waits for the server.
    func testReportsDoNotWaitForAnAnswer() throws {
        let asked = expectation(description: "a frame is sent")
        let server = MemoryServer(onFrame: { _, _, _ in asked.fulfill() })
        var options = options(server, live: true)
        options.offload?.deadline = .seconds(600)
        let counter = try Counter(engine: try engine(), options: options)
        var index = 0
        // Until there is a connection, frames are counted here.
        while server.frames.use({ $0.isEmpty }) && index < 1000 {
            index += 1
            counter.submit(try frame(), at: time(index))
            Thread.sleep(forTimeInterval: 0.01)
        }
        wait(for: [asked], timeout: 20)
        // It would take ten minutes, were it behind the frame.
        XCTAssertEqual(counter.report.offload?.frames["cloud"], 0)
        _ = try? counter.saveState()
        counter.close()
    }

    /// Its answers would be frames without an object: a zero that nobody explains.
    func testAServerOfOtherClassesIsNotAsked() throws {
        let server = MemoryServer()
        let engine = try SlowEngine(seconds: 0.001, classNames: ["forklift"])
        let counter = try Counter(engine: engine, options: options(server))
        for index in 1...3 { _ = try counter.count(frame(), at: time(index)) }
        XCTAssertEqual(counter.report.offload?.frames["local"], 3)
        XCTAssertTrue(counter.report.warnings.contains { $0.contains("knows none of this model's") })
        XCTAssertEqual(server.frames.use { $0.count }, 0)
        counter.close()
    }

    func testTheReportHasTheKeysOfTheCommandLine() throws {
        let counter = try Counter(engine: try engine(), options: options(MemoryServer()))
        for index in 1...3 { _ = try counter.count(frame(UInt8(40 * index)), at: time(index)) }
        let report = counter.report
        counter.close()
        let document = try XCTUnwrap(try Vectors.value(try report.json()) as? JSON)
        let offload = try XCTUnwrap(document["offload"] as? JSON)
        XCTAssertEqual(
            Set(offload.keys),
            [
                "mode", "frames", "decisions", "deadline_ms", "missed_deadlines", "longest_frame_ms",
                "sent_bytes", "rejected", "dropped", "late", "corrected", "connections", "refusals",
                "rtt_ms", "bytes_per_second",
            ])
        let again = try JSONDecoder().decode(CountReport.self, from: try report.json())
        XCTAssertEqual(again.offload, report.offload)
    }

    func testWhatCannotAskAServerIsRefused() throws {
        var image = options(MemoryServer())
        image.runningMode = .image
        XCTAssertThrowsError(try Counter(engine: try engine(), options: image))
        XCTAssertThrowsError(
            try Counter(classNames: ["person"], options: options(MemoryServer())))
        for change: (inout OffloadOptions) -> Void in [
            { $0.server = "http://host" }, { $0.key = Secret("") }, { $0.deadline = .zero },
            { $0.memoryBytes = 5 }, { $0.modelBytes = -1 },
        ] {
            var options = options(MemoryServer())
            change(&options.offload!)
            XCTAssertThrowsError(try Counter(engine: try engine(), options: options)) {
                XCTAssertEqual(($0 as? TallyLensError)?.kind, .usage, "\($0)")
            }
        }
    }
}
