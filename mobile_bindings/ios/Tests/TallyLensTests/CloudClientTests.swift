import Foundation
import XCTest

@testable import TallyLens

/// The client over lost connections, refusals and silence, with a server in memory.
final class CloudClientTests: XCTestCase {
    private let image = EncodedImage(data: Data(count: 12), width: 2, height: 2, codec: .raw)

    private func settings(_ server: MemoryServer) throws -> CloudClient.Settings {
        CloudClient.Settings(
            url: try streamURL("wss://host"), key: Secret("key-1"), transport: server)
    }

    /// The answer to one frame, which is submitted once there is credit for it.
    private func ask(_ client: CloudClient, deadline: Double = 5) throws -> FrameAnswer? {
        let got = Guarded<FrameAnswer?>(nil)
        let arrived = expectation(description: "an answer")
        var sequence: Int64?
        for _ in 0..<2000 where sequence == nil {
            sequence = client.submit(image, captureMicroseconds: 7, deadline: deadline) { answer in
                got.use { $0 = answer }
                arrived.fulfill()
            }
            if sequence == nil { Thread.sleep(forTimeInterval: 0.005) }
        }
        XCTAssertNotNil(sequence)
        wait(for: [arrived], timeout: 20)
        return got.use { $0 }
    }

    func testTheKeyIsAHeaderAndNothingElse() throws {
        let server = MemoryServer()
        let client = try CloudClient(settings(server))
        client.start()
        XCTAssertEqual(try client.waitForWelcome(10)?.classes, ["car", "person"])
        let request = server.links.use { $0[0].request }
        XCTAssertEqual(request.value(of: "Authorization"), "Bearer key-1")
        XCTAssertEqual(request.url.absoluteString, "wss://host/v1/stream")
        XCTAssertEqual(request.subprotocol, "tallylens.v1")
        XCTAssertEqual(request.maximumMessageSize, 4 << 20 + 24)
        var shown = ""
        dump(request, to: &shown)
        dump(OffloadOptions(server: "wss://host", key: Secret("key-1"), transport: server), to: &shown)
        XCTAssertFalse((shown + "\(request)").contains("key-1"))
        client.close()
        XCTAssertEqual(server.received.use { $0 }, [#"{"type":"hello"}"#, #"{"type":"bye"}"#])
    }

    func testAKeyThatIsNotOneIsRefused() throws {
        for key in ["", "two words", "a\r\nHost: b", "schlüssel", String(repeating: "k", count: 4097)] {
            let options = OffloadOptions(server: "wss://host", key: Secret(key))
            XCTAssertThrowsError(try options.check()) {
                XCTAssertEqual(($0 as? TallyLensError)?.problem, "the key is not valid")
            }
        }
    }

    func testAServerThatRefusesAtTheStartIsNotAskedAgain() throws {
        for (end, words) in [
            (ConnectionEnd(httpStatus: 401), "it does not know this key"),
            (ConnectionEnd(httpStatus: 404), "not a tallylens server"),
            (ConnectionEnd(code: 4403), "this key may not connect"),
            (ConnectionEnd(isUntrusted: true), "its certificate cannot be trusted"),
        ] {
            let server = MemoryServer(onConnect: { link, _ in link.end(end) })
            let told = Guarded<[String]>([])
            var settings = try settings(server)
            settings.onEnd = { error in told.use { $0.append(error.problem) } }
            settings.onNotice = { notice in told.use { $0.append(notice) } }
            let client = try CloudClient(settings)
            client.start()
            XCTAssertThrowsError(try client.waitForWelcome(10)) {
                XCTAssertEqual(($0 as? TallyLensError)?.kind, .cloud)
                XCTAssertTrue("\($0)".contains(words), "\($0)")
            }
            client.queue.sync {}
            XCTAssertEqual(server.links.use { $0.count }, 1)
            XCTAssertTrue(told.use { $0 }.contains { $0.contains("the server is not asked again") })
        }
    }

    func testWhatWorkedOnceIsTriedAgain() throws {
        let server = MemoryServer(onConnect: { link, number in
            if number == 1 { link.end(ConnectionEnd(httpStatus: 401)) } else { link.events(.opened) }
        })
        let notices = Guarded<[String]>([])
        var settings = try settings(server)
        settings.onNotice = { notice in notices.use { $0.append(notice) } }
        let client = try CloudClient(settings)
        client.start()
        _ = try client.waitForWelcome(10)
        server.links.use { $0[0] }.end(ConnectionEnd(code: 4401))
        client.queue.sync {}
        guard case .result? = try ask(client) else { return XCTFail("no answer") }
        let told = notices.use { $0 }
        XCTAssertEqual(told.count, 2, "\(told)")
        XCTAssertTrue(told[0].contains("it is tried again"))
        XCTAssertTrue(told[1].contains("accepts this device again"))
        XCTAssertEqual(client.state.use { $0.refusals.times.first?.times }, 2)
        client.close()
    }

    /// A caller without a model gets one answer for each frame, however often the link is cut.
    func testFramesAreSentAgainAndAnsweredOnce() throws {
        let server = MemoryServer(
            onHello: { link, hello in link.welcome(resumed: !hello.session.isEmpty) },
            onFrame: { link, header, _ in
                if !header.repeated { return link.end(ConnectionEnd()) }
                link.answer(header.sequence)
                link.answer(header.sequence)
            })
        var settings = try settings(server)
        settings.resends = true
        let client = try CloudClient(settings)
        client.start()
        for _ in 0..<3 {
            guard case .result? = try ask(client) else { return XCTFail("no answer") }
        }
        XCTAssertEqual(server.frames.use { $0.map(\.sequence) }, [1, 1, 2, 2, 3, 3])
        XCTAssertEqual(client.state.use { $0.totals.connections }, 4)
        client.close()
    }

    /// A caller with a model hears at once that the connection is lost.
    func testFramesInFlightAreGivenUpWithTheConnection() throws {
        let server = MemoryServer(onFrame: { link, _, _ in link.end(ConnectionEnd()) })
        let client = try CloudClient(settings(server))
        client.start()
        guard case .none(let reason)? = try ask(client, deadline: 60) else { return XCTFail() }
        XCTAssertEqual(reason, "expired")
        client.close()
    }

    func testAnAnswerAfterItsTimeIsLate() throws {
        let server = MemoryServer(onFrame: { _, _, _ in })
        let late = Guarded<[Int64]>([])
        let arrived = expectation(description: "a late answer")
        var settings = try settings(server)
        settings.onLate = { result, _ in
            late.use { $0.append(result.sequence) }
            arrived.fulfill()
        }
        let client = try CloudClient(settings)
        client.start()
        guard case .none? = try ask(client, deadline: 0.05) else { return XCTFail() }
        server.links.use { $0[0] }.answer(1)
        wait(for: [arrived], timeout: 10)
        XCTAssertEqual(late.use { $0 }, [1])
        client.close()
    }

    func testARejectedFrameTellsItsReasonAndTheServerIsLeftAlone() throws {
        let server = MemoryServer(onFrame: { link, header, _ in
            link.events(
                .text(
                    #"{"type":"reject","sequence":\#(header.sequence),"ack":1,"credits":4,"#
                        + #""reason":"over_quota","retry_after_ms":60000}"#))
        })
        let client = try CloudClient(settings(server))
        client.start()
        guard case .none(let reason)? = try ask(client) else { return XCTFail() }
        XCTAssertEqual(reason, "over_quota")
        XCTAssertFalse(try client.facts().allowed)
        client.close()
    }

    /// What is not of the protocol ends the connection, and the session is not asked for again.
    func testAViolationStartsOver() throws {
        let hellos = Guarded<[String]>([])
        let server = MemoryServer(
            onHello: { link, hello in
                hellos.use { $0.append(hello.session) }
                link.welcome()
            },
            onFrame: { link, header, _ in
                if header.sequence == 1 { link.events(.text("{}")) } else { link.answer(header.sequence) }
            })
        let client = try CloudClient(settings(server))
        client.start()
        guard case .none? = try ask(client), case .result? = try ask(client) else { return XCTFail() }
        XCTAssertEqual(hellos.use { $0 }, ["", ""])
        client.close()
    }

    /// A client that has ended takes no frames, and has none in flight.
    func testNothingIsInFlightAfterTheEnd() throws {
        let server = MemoryServer(onFrame: { _, _, _ in })
        var settings = try settings(server)
        settings.resends = true
        let client = try CloudClient(settings)
        client.start()
        _ = try client.waitForWelcome(10)
        let answered = expectation(description: "an answer")
        let sequence = client.submit(image, captureMicroseconds: 1, deadline: 60) { answer in
            guard case .none = answer else { return XCTFail("\(answer)") }
            answered.fulfill()
        }
        XCTAssertEqual(sequence, 1)
        client.close()
        wait(for: [answered], timeout: 10)
        XCTAssertEqual(client.state.use { $0.session.inFlight }, 0)
        XCTAssertNil(client.submit(image, captureMicroseconds: 2, deadline: 60) { _ in })
    }

    func testImagesThatNoServerTakesAreRefused() throws {
        let cloud = try CloudDetector(
            server: "wss://host", key: Secret("k"), transport: MemoryServer(), onAnswer: { _, _ in })
        func ask(
            _ bytes: Int, _ width: Int, _ height: Int, _ codec: Codec = .raw,
            _ deadline: Duration = .seconds(1)
        ) throws -> Bool {
            try cloud.ask(
                Data(count: bytes), width: width, height: height, codec: codec,
                at: Timestamp(nanoseconds: 0), deadline: deadline)
        }
        for call in [
            { try ask(0, 0, 1) }, { try ask(3 * 65_536, 65_536, 1) }, { try ask(11, 2, 2) },
            { try ask(0, 2, 2, .jpeg) }, { try ask(4 << 20 + 1, 2, 2, .jpeg) },
            { try ask(12, 2, 2, .raw, .zero) },
        ] {
            XCTAssertThrowsError(try call()) {
                XCTAssertEqual(($0 as? TallyLensError)?.kind, .usage, "\($0)")
            }
        }
        while try !ask(12, 2, 2) { Thread.sleep(forTimeInterval: 0.005) }
        cloud.close()
        XCTAssertThrowsError(try ask(12, 2, 2)) {
            XCTAssertEqual(($0 as? TallyLensError)?.kind, .closed)
        }
    }

    func testAClientThatIsLetGoClosesItsConnection() throws {
        let server = MemoryServer()
        var client: CloudClient? = try CloudClient(settings(server))
        client?.start()
        _ = try client?.waitForWelcome(10)
        weak let gone = client
        client?.close()
        client = nil
        for _ in 0..<1000 where gone != nil { Thread.sleep(forTimeInterval: 0.01) }
        XCTAssertNil(gone)
    }
}
