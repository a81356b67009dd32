pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}
dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}
rootProject.name = "tallylens"
include(":tallylens-core", ":tallylens-android", ":tallylens-jvm", ":tallylens-bom", ":sample")
