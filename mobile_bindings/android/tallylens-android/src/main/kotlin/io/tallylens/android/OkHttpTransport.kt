package io.tallylens.android

import io.tallylens.cloud.Connection
import io.tallylens.cloud.ConnectionEvents
import io.tallylens.cloud.Transport
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicBoolean
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.Response
import okhttp3.WebSocket
import okhttp3.WebSocketListener
import okio.ByteString

/** Websockets of OkHttp, with its certificates, proxies and pins. */
public class OkHttpTransport @JvmOverloads constructor(client: OkHttpClient = OkHttpClient()) : Transport {
    private val client = client.newBuilder().pingInterval(PING_S, TimeUnit.SECONDS).build()

    override fun connect(
        url: String, subprotocol: String, headers: Map<String, String>, events: ConnectionEvents,
    ): Connection {
        val request = Request.Builder().url(url).header("Sec-WebSocket-Protocol", subprotocol)
        for ((name, value) in headers) request.header(name, value)
        return Socket(events).also { it.socket = client.newWebSocket(request.build(), it) }
    }

    private class Socket(private val events: ConnectionEvents) : WebSocketListener(), Connection {
        lateinit var socket: WebSocket
        private val ended = AtomicBoolean()

        override fun onOpen(webSocket: WebSocket, response: Response): Unit = events.onOpen()

        override fun onMessage(webSocket: WebSocket, text: String): Unit = events.onMessage(text)

        override fun onClosing(webSocket: WebSocket, code: Int, reason: String) {
            webSocket.close(NORMAL, null)
            end(code, 0, reason)
        }

        override fun onFailure(webSocket: WebSocket, error: Throwable, response: Response?): Unit =
            end(0, response?.code() ?: 0, error.toString())

        private fun end(code: Int, status: Int, reason: String) {
            if (ended.compareAndSet(false, true)) events.onClosed(code, status, reason)
        }

        override fun send(text: String): Boolean = !ended.get() && socket.send(text)

        override fun send(bytes: ByteArray): Boolean = !ended.get() && socket.send(ByteString.of(*bytes))

        override fun close() {
            ended.set(true)
            socket.close(NORMAL, null)
        }
    }

    private companion object {
        const val PING_S = 5L
        const val NORMAL = 1000
    }
}
