package io.tallylens.android

import android.content.res.AssetManager
import io.tallylens.Model
import java.io.FileInputStream
import java.nio.channels.FileChannel

/**
 * The model in an asset, mapped rather than read. Assets that end in `.tflite` are stored uncompressed by the
 * Android Gradle plugin; others need `androidResources { noCompress += "..." }`.
 *
 * @throws io.tallylens.ModelException it is damaged.
 * @throws io.tallylens.UnsupportedModelException it is not of tallylens.
 */
public fun AssetManager.loadModel(name: String): Model = openFd(name).use { asset ->
    FileInputStream(asset.fileDescriptor).use { file ->
        Model.of(file.channel.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.length), name)
    }
}
