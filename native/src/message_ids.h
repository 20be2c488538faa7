#pragma once

namespace heddle {

/** Numbers of the active messages: part of the protocol. */
constexpr unsigned kHelloMessage = 1;
constexpr unsigned kFrameMessage = 2;
constexpr unsigned kTransferMessage = 3;

}  // namespace heddle
