plugins {
    alias(libs.plugins.library) apply false
    alias(libs.plugins.application) apply false
    alias(libs.plugins.kotlin.android) apply false
    alias(libs.plugins.kotlin.compose) apply false
    alias(libs.plugins.kotlin.jvm) apply false
}

allprojects {
    group = "io.tallylens"
    version = rootDir.resolve("../../edge_runtime/version.py").readLines()
        .first { it.startsWith("__version__") }.substringAfter('"').substringBefore('"')
}
