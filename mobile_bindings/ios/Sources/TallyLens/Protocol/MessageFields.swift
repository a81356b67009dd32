import Foundation

/// The fields of one JSON object from an untrusted peer, each read within its bounds; unknown ones are
/// ignored. Without a default, a field has to be there.
struct MessageFields: Decodable {
    private let fields: KeyedDecodingContainer<Key>

    private static let maxNumber = 1e12

    struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        fields = try decoder.container(keyedBy: Key.self)
    }

    /// The fields of a JSON object of at most `limit` bytes of UTF-8.
    init(_ text: String, limit: Int) throws(TallyLensError) {
        if text.utf8.count > limit {
            throw .violation("a text message of \(text.utf8.count) bytes")
        }
        do {
            self = try JSONDecoder().decode(MessageFields.self, from: Data(text.utf8))
        } catch {
            throw .violation("a text message that is not a JSON object")
        }
    }

    var names: [String] { fields.allKeys.map(\.stringValue) }

    func has(_ name: String) -> Bool { fields.contains(Key(stringValue: name)) }

    func invalid(_ name: String) -> TallyLensError { .violation("missing or invalid \(name)") }

    func text(_ name: String, _ limit: Int, _ fallback: String? = nil) throws(TallyLensError) -> String {
        let value = try value(name, String.self, fallback)
        if value.unicodeScalars.count > limit { throw invalid(name) }
        return value
    }

    func oneOf(
        _ name: String, _ choices: [String], _ fallback: String? = nil
    ) throws(TallyLensError) -> String {
        let value = try text(name, 40, fallback)
        if !choices.contains(value) { throw invalid(name) }
        return value
    }

    func flag(_ name: String, _ fallback: Bool? = nil) throws(TallyLensError) -> Bool {
        try value(name, Bool.self, fallback)
    }

    /// A whole number from 0 to `limit`.
    func whole(
        _ name: String, _ limit: Int64, _ fallback: Int64? = nil
    ) throws(TallyLensError) -> Int64 {
        let value = try value(name, Int64.self, fallback)
        if !(0...limit).contains(value) { throw invalid(name) }
        return value
    }

    func number(_ name: String, _ fallback: Double? = nil) throws(TallyLensError) -> Double {
        let value = try value(name, Double.self, fallback)
        if !MessageFields.isMeasured(value) { throw invalid(name) }
        return value
    }

    /// At most `limit` items; none where the field is missing.
    func items<T: Decodable>(
        _ name: String, _ limit: Int, of type: T.Type
    ) throws(TallyLensError) -> [T] {
        let all = try value(name, [T].self, [])
        if all.count > limit { throw invalid(name) }
        return all
    }

    /// The fields of an object; those of an empty one where it is missing.
    func object(_ name: String) throws(TallyLensError) -> MessageFields {
        if has(name) { return try value(name, MessageFields.self, nil) }
        return try MessageFields("{}", limit: 2)
    }

    /// Any value, of a field that is there or nil.
    func json(_ name: String) throws(TallyLensError) -> JSONValue? {
        has(name) ? try value(name, JSONValue.self, nil) : nil
    }

    private func value<T: Decodable>(
        _ name: String, _ type: T.Type, _ fallback: T?
    ) throws(TallyLensError) -> T {
        let key = Key(stringValue: name)
        if !fields.contains(key) {
            guard let fallback else { throw invalid(name) }
            return fallback
        }
        do {
            return try fields.decode(type, forKey: key)
        } catch {
            throw error as? TallyLensError ?? invalid(name)
        }
    }

    /// Whether a number is below 1e12 in size, which every measured value is.
    static func isMeasured(_ value: Double) -> Bool { abs(value) < maxNumber }
}

/// Any JSON value, of the counts in a summary.
enum JSONValue: Decodable, Sendable, Equatable {
    case null
    case flag(Bool)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let here = try decoder.singleValueContainer()
        if here.decodeNil() {
            self = .null
        } else if let number = try? here.decode(Double.self) {
            self = .number(number)
        } else if let object = try? here.decode([String: JSONValue].self) {
            self = .object(object)
        } else if let text = try? here.decode(String.self) {
            self = .text(text)
        } else if let list = try? here.decode([JSONValue].self) {
            self = .list(list)
        } else {
            self = .flag(try here.decode(Bool.self))
        }
    }
}
