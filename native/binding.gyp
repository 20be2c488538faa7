{
  "variables": { "sanitize%": "", "with_ucx%": "1" },
  "target_defaults": {
    "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
    # The last one: in a thread that is being terminated no error can be thrown into the script any more, and trying to ends
    # the process otherwise.
    "defines": [
      "NAPI_VERSION=8",
      "NODE_ADDON_API_DISABLE_DEPRECATED",
      "NODE_ADDON_API_CPP_EXCEPTIONS",
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
    ],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["-std=c++17", "-fexceptions", "-Wall", "-Wextra", "-Wno-unused-parameter", "-fvisibility=hidden"],
    "conditions": [
      [
        "sanitize!=''",
        {
          "cflags_cc": ["-fsanitize=<(sanitize)", "-fno-omit-frame-pointer", "-g", "-O1", "-fno-sanitize-recover=undefined"],
          "ldflags": ["-fsanitize=<(sanitize)"]
        }
      ]
    ]
  },
  "targets": [
    { "target_name": "heddle_doorbell", "sources": ["doorbell/doorbell.cc"] },
    { "target_name": "heddle_system", "sources": ["system/system.cc"] }
  ],
  "conditions": [
    [
      "with_ucx==1",
      {
        "targets": [
          { "target_name": "heddle_descriptors", "sources": ["descriptors/descriptors.cc"] },
          {
            "target_name": "heddle_rdma",
            "sources": [
              "src/addon.cc",
              "src/completions.cc",
              "src/connection_sockets.cc",
              "src/endpoint.cc",
              "src/memory_table.cc",
              "src/one_sided.cc",
              "src/receiver.cc",
              "src/ucx_context.cc",
              "src/ucx_library.cc",
              "src/wake_up.cc",
              "src/worker.cc",
              "src/worker_object.cc"
            ]
          }
        ]
      }
    ]
  ]
}
