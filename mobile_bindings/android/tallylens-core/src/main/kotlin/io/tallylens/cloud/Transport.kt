package io.tallylens.cloud

import java.io.Closeable

/**
 * Opens websockets: OkHttp on Android, `java.net.http` on desktops, or your own.
 *
 * It verifies certificates, asks for the subprotocol, does not compress, and answers pings.
 */
public fun interface Transport {
    /**
     * Open a connection and return at once; `events` hears of it, from one thread at a time.
     *
     * @param headers of the upgrade request, such as `Authorization`.
     */
    public fun connect(url: String, subprotocol: String, headers: Map<String, String>, events: ConnectionEvents): Connection
}

/** A websocket that is opening or open. Closing is idempotent. */
public interface Connection : Closeable {
    /** Send a text message; false if the connection is not open. */
    public fun send(text: String): Boolean

    /** Send a binary message; false if the connection is not open. */
    public fun send(bytes: ByteArray): Boolean
}

/** What a [Transport] reports; [onClosed] is the last. */
public interface ConnectionEvents {
    public fun onOpen()

    public fun onMessage(text: String)

    /**
     * The connection has ended, or could not be opened.
     *
     * @param code of the websocket's close message, or 0 without one.
     * @param httpStatus of an upgrade that was refused, else 0.
     */
    public fun onClosed(code: Int, httpStatus: Int, reason: String)
}
