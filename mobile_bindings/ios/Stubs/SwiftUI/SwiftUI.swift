// Declarations of SwiftUI and Combine that the sample uses, as Swift imports them; views are not drawn.
@_exported import Foundation
import UIKit

public protocol ObservableObject: AnyObject {}

@propertyWrapper
public struct Published<Value> {
    public var wrappedValue: Value
    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
}

@MainActor @preconcurrency
@propertyWrapper
public struct StateObject<Object: ObservableObject> {
    public let wrappedValue: Object
    public init(wrappedValue make: @autoclosure () -> Object) { wrappedValue = make() }
}

@MainActor @preconcurrency
@propertyWrapper
public struct ObservedObject<Object: ObservableObject> {
    public var wrappedValue: Object
    public init(wrappedValue: Object) { self.wrappedValue = wrappedValue }
}

@propertyWrapper
public struct State<Value> {
    private final class Box {
        var value: Value
        init(_ value: Value) { self.value = value }
    }
    private let box: Box
    public init(wrappedValue: Value) { box = Box(wrappedValue) }
    public var wrappedValue: Value {
        get { box.value }
        nonmutating set { box.value = newValue }
    }
}

public enum ScenePhase: Hashable, Sendable { case background, inactive, active }

public struct EnvironmentValues { public var scenePhase: ScenePhase { .active } }

@propertyWrapper
public struct Environment<Value> {
    public let wrappedValue: Value
    public init(_ path: KeyPath<EnvironmentValues, Value>) {
        wrappedValue = EnvironmentValues()[keyPath: path]
    }
}

@MainActor @preconcurrency
public protocol View {
    associatedtype Body: View
    @ViewBuilder var body: Body { get }
}

extension Never: View { public var body: Never { fatalError("drawn") } }

/// Everything that is shown and has no view inside that the stub would need.
public struct Drawn: View { public var body: Never { fatalError("drawn") } }

extension Optional: View where Wrapped: View { public var body: Never { fatalError("drawn") } }

@resultBuilder
public enum ViewBuilder {
    public static func buildBlock() -> Drawn { Drawn() }
    public static func buildBlock<A: View>(_ a: A) -> A { a }
    public static func buildBlock<each V: View>(_ views: repeat each V) -> Drawn { Drawn() }
    public static func buildIf<V: View>(_ view: V?) -> V? { view }
    public static func buildExpression<V: View>(_ view: V) -> V { view }
}

public struct Font: Sendable { public static let caption = Font() }

public struct Color: View, Sendable {
    public static let yellow = Color()
    public static let white = Color()
    public static let black = Color()
    public func opacity(_ share: Double) -> Color { self }
    public var body: Never { fatalError("drawn") }
}

public struct Alignment: Sendable { public static let center = Alignment(), topLeading = Alignment() }
public struct HorizontalAlignment: Sendable {
    public static let center = HorizontalAlignment(), leading = HorizontalAlignment()
}

public struct Text: View {
    public init(_ text: String) {}
    public func font(_ font: Font?) -> Text { self }
    public var body: Never { fatalError("drawn") }
}

public struct Rectangle: View {
    public init() {}
    public func fill(_ color: Color) -> some View { Drawn() }
    public var body: Never { fatalError("drawn") }
}

public struct ZStack<Content: View>: View {
    public init(alignment: Alignment = .center, @ViewBuilder content: () -> Content) {}
    public var body: Never { fatalError("drawn") }
}

public struct VStack<Content: View>: View {
    public init(
        alignment: HorizontalAlignment = .center, spacing: CGFloat? = nil,
        @ViewBuilder content: () -> Content
    ) {}
    public var body: Never { fatalError("drawn") }
}

public struct ForEach<Data: RandomAccessCollection, ID: Hashable, Content: View>: View {
    public init(
        _ data: Data, id: KeyPath<Data.Element, ID>,
        @ViewBuilder content: @escaping (Data.Element) -> Content
    ) {}
    public var body: Never { fatalError("drawn") }
}

public struct GeometryProxy { public var size: CGSize }

public struct GeometryReader<Content: View>: View {
    public init(@ViewBuilder content: @escaping (GeometryProxy) -> Content) {}
    public var body: Never { fatalError("drawn") }
}

public struct DragGesture {
    public struct Value: Equatable, Sendable { public var location: CGPoint }
    public init() {}
    public func onChanged(_ action: @escaping (Value) -> Void) -> DragGesture { self }
    public func onEnded(_ action: @escaping (Value) -> Void) -> DragGesture { self }
}

extension View {
    public func foregroundColor(_ color: Color?) -> some View { Drawn() }
    public func frame(
        width: CGFloat? = nil, height: CGFloat? = nil, alignment: Alignment = .center
    ) -> some View { Drawn() }
    public func border(_ color: Color, width: CGFloat = 1) -> some View { Drawn() }
    public func offset(x: CGFloat = 0, y: CGFloat = 0) -> some View { Drawn() }
    public func gesture(_ gesture: DragGesture) -> some View { Drawn() }
    public func padding() -> some View { Drawn() }
    public func background<B: View>(_ background: B) -> some View { Drawn() }
    public func ignoresSafeArea() -> some View { Drawn() }
    public func task(_ action: @escaping @MainActor () async -> Void) -> some View { Drawn() }
}

@MainActor @preconcurrency
public protocol Scene {
    associatedtype Body: Scene
    var body: Body { get }
}

extension Never: Scene {}

public struct WindowGroup<Content: View>: Scene {
    public init(@ViewBuilder content: () -> Content) {}
    public var body: Never { fatalError("drawn") }
}

extension Scene {
    public func onChange<V: Equatable>(
        of value: V, perform action: @escaping (V) -> Void
    ) -> some Scene { WindowGroup { Drawn() } }
}

@MainActor @preconcurrency
public protocol App {
    associatedtype Body: Scene
    var body: Body { get }
    init()
}

extension App { public static func main() { _ = Self() } }

public struct UIViewRepresentableContext {}

@MainActor @preconcurrency
public protocol UIViewRepresentable: View where Body == Never {
    associatedtype UIViewType: UIView
    typealias Context = UIViewRepresentableContext
    func makeUIView(context: Context) -> UIViewType
    func updateUIView(_ view: UIViewType, context: Context)
}

extension UIViewRepresentable { public var body: Never { fatalError("drawn") } }
