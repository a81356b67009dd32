package io.tallylens.jvm

import io.tallylens.cloud.Connection
import io.tallylens.cloud.ConnectionEvents
import io.tallylens.cloud.Transport
import java.net.URI
import java.net.http.HttpClient
import java.net.http.WebSocket
import java.net.http.WebSocketHandshakeException
import java.nio.ByteBuffer
import java.time.Duration
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionException
import java.util.concurrent.CompletionStage
import java.util.concurrent.atomic.AtomicBoolean
import javax.net.ssl.SSLContext

/** Websockets of `java.net.http`, for desktops. */
public class HttpTransport @JvmOverloads constructor(context: SSLContext = SSLContext.getDefault()) : Transport {
    private val client = HttpClient.newBuilder().sslContext(context).connectTimeout(Duration.ofSeconds(10)).build()

    override fun connect(
        url: String, subprotocol: String, headers: Map<String, String>, events: ConnectionEvents,
    ): Connection {
        val builder = client.newWebSocketBuilder().subprotocols(subprotocol)
        for ((name, value) in headers) builder.header(name, value)
        val socket = Socket(events)
        builder.buildAsync(URI.create(url), socket).whenComplete { _, error -> error?.let(socket::failed) }
        return socket
    }

    private class Socket(private val events: ConnectionEvents) : Connection, WebSocket.Listener {
        private val ended = AtomicBoolean()
        private val text = StringBuilder()
        private var sending: CompletableFuture<*> = CompletableFuture.completedFuture(null)

        @Volatile
        private var socket: WebSocket? = null

        override fun onOpen(webSocket: WebSocket) {
            socket = webSocket
            events.onOpen()
            webSocket.request(1)
        }

        override fun onText( // codespell:ignore
            webSocket: WebSocket, data: CharSequence, last: Boolean,
        ): CompletionStage<*>? {
            text.append(data)
            if (last) {
                events.onMessage(text.toString())
                text.setLength(0)
            }
            webSocket.request(1)
            return null
        }

        override fun onClose(webSocket: WebSocket, statusCode: Int, reason: String): CompletionStage<*>? {
            end(statusCode, 0, reason)
            return null
        }

        override fun onError(webSocket: WebSocket?, error: Throwable): Unit = failed(error)

        fun failed(error: Throwable) {
            val cause = (error as? CompletionException)?.cause ?: error
            val status = (cause as? WebSocketHandshakeException)?.response?.statusCode() ?: 0
            end(0, status, cause.toString())
        }

        private fun end(code: Int, status: Int, reason: String) {
            if (ended.compareAndSet(false, true)) events.onClosed(code, status, reason)
        }

        override fun send(text: String): Boolean = queue { it.sendText(text, true) }

        override fun send(bytes: ByteArray): Boolean = queue { it.sendBinary(ByteBuffer.wrap(bytes), true) }

        /** One message is sent at a time. */
        @Synchronized
        private fun queue(send: (WebSocket) -> CompletableFuture<WebSocket>): Boolean {
            val open = socket ?: return false
            if (ended.get() || open.isOutputClosed) return false
            sending = sending.thenCompose { send(open) }.whenComplete { _, error -> error?.let(::failed) }
            return true
        }

        override fun close() {
            val open = socket
            ended.set(true)
            if (open == null) return
            sending.whenComplete { _, _ -> if (!open.isOutputClosed) open.sendClose(WebSocket.NORMAL_CLOSURE, "") }
        }
    }
}
