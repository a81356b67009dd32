package io.tallylens.jvm

import io.tallylens.cloud.Transport
import java.io.File
import java.security.KeyStore
import java.security.cert.CertificateFactory
import javax.net.ssl.SSLContext
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509TrustManager
import okhttp3.OkHttpClient

/** A transport, `http` or `okhttp`, that trusts the certificates in a file. */
internal fun transport(kind: String, ca: File): Transport {
    val certificates = CertificateFactory.getInstance("X.509").generateCertificates(ca.inputStream())
    val store = KeyStore.getInstance(KeyStore.getDefaultType()).apply { load(null) }
    certificates.forEachIndexed { i, one -> store.setCertificateEntry("$i", one) }
    val trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm()).apply { init(store) }.trustManagers
    val context = SSLContext.getInstance("TLS").apply { init(null, trust, null) }
    if (kind == "http") return HttpTransport(context)
    val client = OkHttpClient.Builder().sslSocketFactory(context.socketFactory, trust[0] as X509TrustManager).build()
    return io.tallylens.android.OkHttpTransport(client)
}
